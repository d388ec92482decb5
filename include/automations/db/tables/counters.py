"""The counters of metrics, written by triggers, so that no commit is missed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, Integer, Table, Text

from automations.db.tables.base import Base

counter = Table(
    "counter",
    Base.metadata,
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False),
)
"""A ledger: rows are only added, so that transactions never wait for each other's counting, and
compacted into fewer rows from time to time. The sum over all rows is what counts."""
