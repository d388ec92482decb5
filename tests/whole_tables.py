"""The tables of our database, each once: one that is in parts stands for them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text

from automations.db.session import Session

_NAMES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND relname <> 'alembic_version'
"""


def names(session: Session) -> Sequence[str]:
    """Their names."""
    return session.scalars(text(_NAMES)).all()
