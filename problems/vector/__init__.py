"""Several outputs."""
