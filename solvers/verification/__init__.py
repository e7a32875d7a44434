"""Checks of saved certificates that share no code with what made them; see `solvers.verify`."""
