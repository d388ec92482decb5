"""The evidence_snapshot step: what it asks for, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.ports import EvidenceReceipt, EvidenceRequest
from automations.steps.evidence_snapshot import EvidenceSnapshot, EvidenceSnapshotConfig
from automations.steps.outcomes import Done, Outcome
from tests.doubles import context


class Archive:
    """Keeps what it is asked for, or fails."""

    def __init__(self, failure: StepError | None = None) -> None:
        self.failure = failure
        self.requests: list[EvidenceRequest] = []

    def capture(self, request: EvidenceRequest) -> EvidenceReceipt:
        if self.failure:
            raise self.failure
        self.requests.append(request)
        return EvidenceReceipt("snapshot1", 42, "ab" * 32)


def run(config: dict[str, Any], archive: Archive, **more: Any) -> Outcome:
    parsed = EvidenceSnapshotConfig.model_validate(config, context=RENDERED)
    return EvidenceSnapshot().run(parsed, context(evidence=archive, **more))


def test_everything_in_the_config_is_asked_for() -> None:
    archive = Archive()
    outcome = run(
        {
            "source": "TABLE_ROWS",
            "tableId": "t1",
            "filter": {"status": ["open", "new"]},
            "from": "2026-02-01T00:00:00+02:00",
            "to": "2026-03-01",
            "columns": "id, status",
            "title": "Open vulnerabilities",
        },
        archive,
    )
    assert archive.requests == [
        EvidenceRequest(
            workspace_id="workspace1",
            run_id="run1",
            key="run1:node1:0",
            source="TABLE_ROWS",
            title="Open vulnerabilities",
            table_id="t1",
            filter={"status": ["open", "new"]},
            since=datetime(2026, 1, 31, 22, tzinfo=UTC),
            until=datetime(2026, 3, 1, tzinfo=UTC),
            columns=("id", "status"),
        )
    ]
    assert outcome == Done(
        {
            "rowCount": 42,
            "source": "TABLE_ROWS",
            "snapshotId": "snapshot1",
            "sha256": "ab" * 32,
        }
    )


def test_a_time_without_an_offset_is_one_of_the_automations_zone() -> None:
    archive = Archive()
    config = {"source": "AUDIT_LOGS", "from": "2026-02-01", "to": "2026-02-01T06:00:00Z"}
    run(config, archive, timezone="America/New_York")
    assert archive.requests[0].since == datetime(2026, 2, 1, 5, tzinfo=UTC)
    with pytest.raises(StepError, match="from must be before to"):
        run({**config, "from": "2026-02-01T02:00"}, archive, timezone="America/New_York")


def test_a_small_letter_marks_utc_as_well() -> None:
    archive = Archive()
    run(
        {"source": "AUDIT_LOGS", "from": "2026-02-01t00:00:00z", "to": "2026-02-01t06:00:00z"},
        archive,
    )
    assert archive.requests[0].since == datetime(2026, 2, 1, tzinfo=UTC)


def test_a_duration_counts_back_from_now_and_the_title_is_the_steps_name() -> None:
    archive = Archive()
    run({"source": "AUDIT_LOGS", "from": "P1D", "to": "PT1H"}, archive)
    (asked,) = archive.requests
    assert asked.since == datetime(2026, 2, 28, 12, tzinfo=UTC)
    assert asked.until == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert (asked.title, asked.filter, asked.columns) == ("Step", None, ())


def test_a_failure_of_the_archive_is_the_steps() -> None:
    with pytest.raises(StepError, match="narrow"):
        run({"source": "AUDIT_LOGS"}, Archive(StepError("narrow it", kind="too_large")))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "required"),
        ({"source": "PASSWORDS"}, "Input should be"),
        ({"source": "TABLE_ROWS"}, "tableId belongs"),
        ({"source": "AUDIT_LOGS", "tableId": "t"}, "tableId belongs"),
        ({"source": "AUDIT_LOGS", "from": "yesterday"}, "must be an instant"),
        ({"source": "AUDIT_LOGS", "to": "P99999999999D"}, "must be an ISO 8601 duration"),
        ({"source": "AUDIT_LOGS", "to": "P1000000D"}, "must be an instant"),
        ({"source": "AUDIT_LOGS", "from": "P1D", "to": "P2D"}, "from must be before to"),
        ({"source": "AUDIT_LOGS", "from": "2026-01-02", "to": "2026-01-01"}, "before to"),
        ({"source": "AUDIT_LOGS", "filter": [1]}, "valid dict"),
        ({"source": "AUDIT_LOGS", "columns": 5}, "valid list"),
        ({"source": "AUDIT_LOGS", "title": ""}, "at least 1"),
        ({"source": "AUDIT_LOGS", "from_": "P1D"}, "Extra inputs"),
    ],
)
def test_a_config_that_says_nothing_clear_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EvidenceSnapshotConfig.model_validate(config)


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {"source": "AUDIT_LOGS", "from": "{{input.since}}", "filter": "{{input.filter}}"}
    EvidenceSnapshotConfig.model_validate(config)
    with pytest.raises(ValidationError, match="must be an instant"):
        EvidenceSnapshotConfig.model_validate(config, context=RENDERED)
