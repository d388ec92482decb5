"""Daily limits on what the public may submit, so that nobody can fill the database."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import to_json

from automations.db.access import rate_limits
from automations.db.session import Session
from automations.errors import TooLarge
from automations.kit.networks import network
from automations.kit.values import JSON
from automations.services.audit import audit
from automations.settings import get_settings

DAY = 24 * 3600
_SHARES = 10
"""One address has one of so many, so that it closes the form for nobody else."""


def take(session: Session, form_id: str, data: Mapping[str, JSON]) -> None:
    """Count what was filled into a public form; last in its transaction, since others wait for it.

    Raises:
        TooLarge: the form takes no more today, or no more from there.
    """
    size, daily_limit = len(to_json(data)), get_settings().submissions_daily
    sender = network(audit.current().ip or "")
    # The one that fewer wait for first.
    for key, limit in (
        (f"answers:{form_id}:{sender}", daily_limit // _SHARES),
        (f"answers:{form_id}", daily_limit),
    ):
        if rate_limits.hit(session, key, limit=limit, seconds=DAY, by=size) is not None:
            raise TooLarge("This form takes no more of so long answers today: send it tomorrow.")
