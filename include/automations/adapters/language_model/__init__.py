"""Asks language models, by pydantic-ai."""
