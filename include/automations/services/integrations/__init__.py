"""Accounts at other services, secrets, mail and notifications."""
