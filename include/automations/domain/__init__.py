"""The rules of what automations work with: pure functions and values."""
