"""Has Airflow show who answered by a link or the API, instead of the bridge that passes it on.

Airflow knows an answer by the user who brings it. The bridge says beside it whose it is, and in the
process that stores it, the api-server, that is put in place of the bridge's own name.
"""

from __future__ import annotations

import sys
from typing import Any

from automations.services.waits.answers import ANSWERED_BY
from automations.settings import get_settings


def watch() -> None:
    """Name whoever has answered, in this process; nothing in one that stores no answers."""
    if sys.argv[1:2] != ["api-server"]:
        return
    from airflow.models.hitl import HITLDetail
    from sqlalchemy import event

    if not event.contains(HITLDetail, "before_update", name):
        event.listen(HITLDetail, "before_update", name)


def name(mapper: Any, connection: Any, answered: Any) -> None:
    """Put the name of whoever has answered into what is about to be stored."""
    answers = answered.params_input or {}
    # FAB's users have numbers for ids.
    by = (answered.responded_by or {}).get("name")
    if ANSWERED_BY not in answers or by != get_settings().airflow_username:
        return
    user = answers[ANSWERED_BY]
    answered.params_input = {key: value for key, value in answers.items() if key != ANSWERED_BY}
    answered.responded_by = {"id": user, "name": user}
