"""Automations: define, read, change, start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, cast

from automations_client.errors import json_of
from automations_client.figures import Figures
from automations_client.pages import Page, from_link_header, through
from automations_client.shapes import (
    AppliedFile,
    StartedRun,
    Stats,
    UpdatedWorkflow,
    Workflow,
)
from automations_client.transport import Content, Transport, address


@dataclass(frozen=True, slots=True)
class DefinitionFile:
    """A file of definitions.

    Args:
        left_out: ids of automations that no file can hold.
    """

    text: str
    left_out: list[str]


class Workflows:
    """``/api/workflows``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(self, limit: int = 50, cursor: str | None = None) -> Page[Workflow]:
        """A page of the automations, newest first."""
        query = {"limit": limit, "cursor": cursor}
        return from_link_header(
            self._transport.send("GET", address("workflows"), Content(query=query))
        )

    def iterate(self, page_size: int = 50) -> Iterator[Workflow]:
        """All automations, newest first."""
        return through(lambda cursor: self.page(page_size, cursor))

    def get(self, workflow_id: str) -> Workflow:
        return cast(Workflow, self._transport.json("GET", address("workflows", workflow_id)))

    def create(self, definition: Mapping[str, Any]) -> Workflow:
        return cast(Workflow, self._transport.json("POST", address("workflows"), definition))

    def update(self, workflow_id: str, change: Mapping[str, Any]) -> UpdatedWorkflow:
        """Change an automation; runs in flight keep their version."""
        path = address("workflows", workflow_id)
        return cast(UpdatedWorkflow, self._transport.json("PATCH", path, change))

    def delete(self, workflow_id: str) -> None:
        """Delete an automation; its runs in flight are CANCELLED a moment later."""
        self._transport.json("DELETE", address("workflows", workflow_id))

    def execute(
        self,
        workflow_id: str,
        input_data: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> StartedRun:
        """Start a run by hand.

        Args:
            input_data: usable in the automation as ``{{input.…}}``.
            idempotency_key: the same key and input start one run, however often they are sent.
        """
        answer = self._transport.send(
            "POST",
            address("workflows", workflow_id, "execute"),
            Content(body={"input": input_data or {}}, key=idempotency_key),
        )
        return cast(StartedRun, json_of(answer))

    def stats(self) -> Stats:
        """How many automations and runs there are."""
        return cast(Stats, self._transport.json("GET", address("workflows", "stats")))

    def figures(
        self,
        period: Literal["day", "week", "month", "quarter", "year"] = "week",
        until: date | None = None,
        workflow_id: str | None = None,
    ) -> Figures:
        """What became of the runs of a time, of one automation or all, and what waits now.

        Args:
            until: its last day; today when None.
        """
        day = None if until is None else until.isoformat()
        query = {"period": period, "until": day, "workflowId": workflow_id}
        return cast(Figures, self._transport.json("GET", address("figures"), query=query))

    def export(
        self, ids: Sequence[str] = (), form: Literal["yaml", "json"] = "yaml"
    ) -> DefinitionFile:
        """These automations, or all, as a file of definitions."""
        path, query = address("workflows", "export"), {"format": form, "id": ids}
        answer = self._transport.send("GET", path, Content(query=query))
        left_out = answer.headers.get("x-left-out")
        return DefinitionFile(answer.text, left_out.split(", ") if left_out else [])

    def apply(self, file: str, *, dry_run: bool = False) -> AppliedFile:
        """Make automations what a file of definitions (YAML or JSON) says, all or none.

        Args:
            dry_run: only say what would change.
        """
        answer = self._transport.send(
            "POST",
            address("workflows", "import"),
            Content(
                text=file,
                query={"dryRun": "true" if dry_run else None},
                headers={"Content-Type": "application/yaml"},
                reads=dry_run,
            ),
        )
        return cast(AppliedFile, json_of(answer))
