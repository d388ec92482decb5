"""Matters, their boards, and the templates of both."""
