"""Rows of columns, without entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable
from sqlalchemy.orm import Session


def plain_rows(session: Session, query: Executable, values: Mapping[str, Any]) -> Sequence[Any]:
    """Rows that a statement finds, which names columns only.

    The session would look for entities among them, which takes as long as all the rest.
    """
    session.flush()
    return session.connection().execute(query, values).all()
