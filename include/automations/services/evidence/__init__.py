"""Snapshots that prove what was known when."""
