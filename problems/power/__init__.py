"""Splines of order m."""
