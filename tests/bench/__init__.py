"""Measurements of the real stack: ``./automations bench --help``."""
