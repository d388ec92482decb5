"""The data that a step reads and writes, for OpenLineage, if Airflow's provider of it is there.

The provider asks the operator itself. Inlets and outlets would not do: it knows none of our
addresses, and an outlet is an event, which is told to Airflow already when something has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from automations.domain import assets
from automations.settings import get_settings
from automations.steps.base import Subject
from automations.steps.registry import STEP_TYPES

_ADDRESSES = {Subject.TABLE: assets.table, Subject.DOCUMENT_TEMPLATE: assets.documents}
_READS = "query"
"""The operation on rows that changes none."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Addresses of assets."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


def of_step(step_type: str, config: Mapping[str, Any] | None) -> Lineage:
    """What a step reads and writes of tables and documents.

    Args:
        config: as it was rendered and masked; None where the step was not come to.
    """
    kind = STEP_TYPES[step_type]
    named = tuple(
        address(str(config[key]))
        for field, subject in kind.refers_to.items()
        if config is not None
        and (address := _ADDRESSES.get(subject)) is not None
        and config.get(key := kind.Config.model_fields[field].alias or field)
    )
    if step_type == "generate_document" or (
        step_type == "table_operations" and (config or {}).get("operation") != _READS
    ):
        return Lineage(writes=named)
    return Lineage(reads=named)


def translate(lineage: Lineage) -> Any:
    """The same in the provider's words."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset

    namespace = f"automation://{urlsplit(get_settings().bridge_base).netloc}"

    def datasets(addresses: tuple[str, ...]) -> list[Any]:
        names = (address.removeprefix(assets.SCHEME) for address in addresses)
        return [Dataset(namespace=namespace, name=name) for name in names]

    return OperatorLineage(inputs=datasets(lineage.reads), outputs=datasets(lineage.writes))
