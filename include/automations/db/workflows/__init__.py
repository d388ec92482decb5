"""Automations: their versions, edits, and what of them is published."""
