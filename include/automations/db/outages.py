"""What tells that the database cannot be used now."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

OUTAGES = (OperationalError, InterfaceError, TimeoutError)
"""Errors of a database that is away, restarting or overloaded."""
