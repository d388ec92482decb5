"""Automations as they are written, read, exported and scheduled."""
