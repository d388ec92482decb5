"""Rows that come from other systems, pushed or pulled."""
