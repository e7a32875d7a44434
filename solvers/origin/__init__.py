"""Neurons through the origin: search and proof."""
