"""Runs: their steps, effects, counts and lists."""
