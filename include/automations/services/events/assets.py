"""Asset events of Airflow: any team's DAG can start automations by an outlet."""

from __future__ import annotations

from collections.abc import Mapping

from automations.db import api_keys
from automations.db.events import emit
from automations.db.matching import ASSET
from automations.db.session import unit_of_work
from automations.definitions.triggers import event_key, is_reserved
from automations.domain.events import NewEvent
from automations.kit.values import JSON
from automations.services.access.bootstrap import DEFAULT_WORKSPACE


def record(name: str, uri: str, extra: Mapping[str, JSON], source: Mapping[str, JSON]) -> str:
    """Record an asset event; automations listen to the asset's name or to its URI.

    It belongs to the default workspace, for Airflow knows of none.

    Args:
        source: which task of which run of which DAG made it, when one did.
    """
    with unit_of_work() as session:
        event, _ = emit(
            session,
            api_keys.ensure_workspace(session, *DEFAULT_WORKSPACE),
            NewEvent(
                kind=ASSET,
                # A DAG's author names assets as they like, also like events of ours.
                trigger_key=f"asset:{name}" if is_reserved(name) else event_key(name),
                data={"assetName": name, "assetUri": uri, "extra": dict(extra), **source},
            ),
        )
        return event.id
