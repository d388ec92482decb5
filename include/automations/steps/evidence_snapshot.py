"""Capture compliance evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from automations.domain.fields import (
    Model,
    OptionalText,
    OrTemplate,
    Text,
    Texts,
    is_rendered,
    is_template,
    parse_duration,
)
from automations.errors import StepError
from automations.kit import common_clock
from automations.kit.clock import is_local, parse_instant
from automations.ports import EvidenceRequest
from automations.steps.base import StepContext, StepType, Subject
from automations.steps.outcomes import Done, Outcome

TABLE_ROWS = "TABLE_ROWS"


def _check_time(value: str, info: ValidationInfo) -> str:
    if is_rendered(info) or not is_template(value):
        parse_time(value, common_clock.now(), "UTC")
    return value


def parse_time(value: str, now: datetime, zone: str) -> datetime:
    """An instant, or the instant so long before now; ValueError says what is expected.

    Args:
        zone: of a time without an offset.
    """
    span = parse_duration(value) if value.startswith("P") else None
    try:
        return parse_instant(value, zone) if span is None else now - span
    except (ValueError, OverflowError) as error:
        raise ValueError(
            "must be an instant such as 2026-03-01T00:00:00Z, or a duration before now such as P1D"
        ) from error


def _is_local(value: str) -> bool:
    return not value.startswith("P") and is_local(value)


def _check_order(since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        raise ValueError("from must be before to")


Instant = Annotated[Text, AfterValidator(_check_time), Field(max_length=500)]


class EvidenceSnapshotConfig(Model):
    """What to capture."""

    source: Literal["TABLE_ROWS", "AUDIT_LOGS", "SECURITY_EVENTS", "ORG_MEMBERS"] = Field(
        description="What to capture."
    )
    table_id: OptionalText = Field(
        None, min_length=1, max_length=200, description="Id of the table, for TABLE_ROWS."
    )
    filter: OrTemplate[dict[str, Any]] | None = Field(
        None,
        description="Only rows whose fields have these values, or one of a list of values; for "
        "TABLE_ROWS, the filter of table_operations.",
    )
    from_: Instant | None = Field(
        None,
        alias="from",
        description="Only rows from this time on; or a duration before now, such as P1D. A time "
        "without an offset is in the automation's time zone.",
    )
    to: Instant | None = Field(None, description="Only rows before this time; same format as from.")
    columns: Texts = Field(
        default_factory=list,
        max_length=200,
        description="Fields to keep; empty means all.",
    )
    title: OptionalText = Field(
        None,
        min_length=1,
        max_length=500,
        description="Title of the snapshot; by default the step's name.",
    )

    @model_validator(mode="after")
    def _names_a_table(self) -> Self:
        if (self.source == TABLE_ROWS) != (self.table_id is not None):
            raise ValueError("tableId belongs to the source TABLE_ROWS, and only to that")
        return self

    @model_validator(mode="after")
    def _check_period(self) -> Self:
        """As far as it is known here, without the automation's time zone."""
        bounds = [
            bound for bound in (self.from_, self.to) if bound is not None and not is_template(bound)
        ]
        if len(bounds) == 2 and len({_is_local(bound) for bound in bounds}) == 1:
            _check_order(*(parse_time(bound, common_clock.now(), "UTC") for bound in bounds))
        return self


class EvidenceSnapshot(StepType[EvidenceSnapshotConfig]):
    """Capture evidence as canonical JSON, hashed and chained to the workspace's last snapshot."""

    type = "evidence_snapshot"
    title = "Capture evidence"
    Config = EvidenceSnapshotConfig
    refers_to: ClassVar = {"table_id": Subject.TABLE}
    example: ClassVar = {"source": "ORG_MEMBERS", "title": "Members, for {{input.name}}"}
    outputs: ClassVar = {
        "rowCount": "how many rows were captured",
        "source": "the source of the rows",
        "snapshotId": "the snapshot",
        "sha256": "of the captured content",
    }

    def is_idempotent(self, config: EvidenceSnapshotConfig) -> bool:
        return True

    def run(self, config: EvidenceSnapshotConfig, ctx: StepContext) -> Outcome:
        since, until = (
            None if bound is None else parse_time(bound, ctx.now, ctx.timezone)
            for bound in (config.from_, config.to)
        )
        try:
            _check_order(since, until)
        except ValueError as error:
            raise StepError(f"config.from: {error}", kind="config") from error
        receipt = ctx.ports.evidence.capture(
            EvidenceRequest(
                workspace_id=ctx.workspace_id,
                run_id=ctx.run_id,
                key=ctx.idempotency_key,
                source=config.source,
                title=config.title or ctx.step_name,
                table_id=config.table_id,
                filter=cast("dict[str, Any] | None", config.filter),
                since=since,
                until=until,
                columns=tuple(config.columns),
                zone=ctx.timezone,
            )
        )
        return Done(
            {
                "rowCount": receipt.row_count,
                "source": config.source,
                "snapshotId": receipt.snapshot_id,
                "sha256": receipt.sha256,
            }
        )
