"""Lanes of due jobs, one per automation, and whose turn is next.

A job that is due is put into the lane of its workspace and automation, which are read from its
subject. Workspaces take turns, and so do the automations of a workspace; within a lane the oldest
job comes first. So a burst of one automation delays nobody else. The cost of finding the next jobs
depends only on how many are taken, not on the number or the length of the lanes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from automations.db.tables import JobKind

_OF_RUNS = (
    JobKind.START_RUN, JobKind.START_CHILD, JobKind.EXPRESS_RUN, JobKind.SHOW_RUN,
    JobKind.FAIL_RUN, JobKind.RETRY_RUN,
    JobKind.RETRY_LATEST, JobKind.WAKE_PARENT, JobKind.REPORT_FAILURE, JobKind.ADMIT_RUN,
    JobKind.NEXT_RUN,
)  # fmt: skip
_OF_WAITS = (
    JobKind.ANSWER_WAIT, JobKind.ESCALATE_WAIT, JobKind.NAME_OVERRIDE,
)  # fmt: skip
# Urgent, since somebody waits: runs started by hand, or by a delivery whose answer is the result.
_OWNER = """
run.workspace_id, run.workflow_id AS lane, CASE run.trigger_type
    WHEN 'manual' THEN true
    WHEN 'webhook' THEN EXISTS (
        SELECT FROM workflow_version made
        WHERE made.workflow_id = run.workflow_id AND made.version = run.version
            AND made.definition #>> '{trigger,respond}' = 'result'
    )
    ELSE false
END AS urgent
"""
_OWNERS: Mapping[tuple[JobKind, ...], str] = {
    _OF_RUNS: f"SELECT {_OWNER} FROM run WHERE run.id = job.subject_id",  # noqa: S608 -- the words are ours
    _OF_WAITS: f"SELECT {_OWNER} FROM wait JOIN run ON run.id = wait.run_id"  # noqa: S608 -- the words are ours
    " WHERE wait.id = job.subject_id",
    (JobKind.ASK_APPROVER, JobKind.REMIND_APPROVER): f"SELECT {_OWNER} FROM approver"  # noqa: S608 -- the words are ours
    " JOIN wait ON wait.id = approver.wait_id JOIN run ON run.id = wait.run_id"
    " WHERE approver.id = job.subject_id",
    (JobKind.SEND_FORM,): f"SELECT {_OWNER} FROM form_request form"  # noqa: S608 -- the words are ours
    " JOIN run ON run.id = form.run_id WHERE form.id = job.subject_id",
    (JobKind.CALL_DAG, JobKind.END_DAG_RUN): f"SELECT {_OWNER} FROM dag_call"  # noqa: S608 -- the words are ours
    " JOIN run ON run.id = dag_call.run_id WHERE dag_call.id = job.subject_id",
    # Cut, since the size of index entries is limited, and the sender chooses the key.
    (JobKind.MATCH_EVENT,): "SELECT workspace_id, left(trigger_key, 200) AS lane, false AS urgent"
    " FROM event WHERE event.id = job.subject_id",
    (JobKind.END_DEBOUNCE,): "SELECT workflow.workspace_id, workflow.id AS lane, false AS urgent"
    " FROM debounced_events debounced JOIN workflow ON workflow.id = debounced.workflow_id"
    " WHERE debounced.id = job.subject_id",
    (JobKind.END_RUNS,): "SELECT workspace_id, id AS lane, false AS urgent"
    " FROM workflow WHERE workflow.id = job.subject_id",
    (
        JobKind.SYNC_PIPELINE,
    ): "SELECT connection.workspace_id, connection.id AS lane, false AS urgent"
    " FROM pipeline_run JOIN pipeline_connection connection"
    " ON connection.id = pipeline_run.connection_id WHERE pipeline_run.id = job.subject_id",
    (JobKind.SCHEDULE_PIPELINE,): "SELECT workspace_id, id AS lane, false AS urgent"
    " FROM pipeline_connection WHERE pipeline_connection.id = job.subject_id",
}
OWNED = frozenset(kind for kinds in _OWNERS for kind in kinds)
"""The kinds of jobs whose owner is known."""

# Most claims find no jobs of most kinds, and planning the query below takes milliseconds. The ORDER
# BYs match indexes: without them PostgreSQL reads all jobs if there is none of a kind.
_QUEUED = text("""
SELECT wanted AS kind,
    (
        SELECT true FROM job WHERE kind = wanted AND lane IS NULL AND dead_at IS NULL
            AND available_at <= statement_timestamp()
        ORDER BY available_at LIMIT 1
    ) AS due,
    (
        SELECT true FROM job WHERE kind = wanted AND lane IS NOT NULL
        ORDER BY urgent, workspace_id LIMIT 1
    ) AS in_line
FROM unnest(CAST(:kinds AS text[])) AS wanted
""")

_BATCH_SIZE = 1000
"""Oldest jobs of a kind, and newest ones, that one statement puts into lanes: 20 µs for each."""


def _due(order: str) -> str:
    return f"""
    SELECT due.id FROM unnest(CAST(:kinds AS text[])) AS wanted CROSS JOIN LATERAL (
        SELECT id FROM job
        WHERE kind = wanted AND lane IS NULL AND dead_at IS NULL
            AND available_at <= statement_timestamp()
        ORDER BY available_at {order}, id {order} LIMIT {_BATCH_SIZE} FOR UPDATE SKIP LOCKED
    ) due
    """  # noqa: S608 -- the words are ours


@lru_cache
def _line_up(kinds: frozenset[str]) -> TextClause:
    """The statement that puts due jobs of some kinds into lanes; it only joins their owners."""
    owner = " UNION ALL ".join(
        f"(SELECT * FROM ({query}) owner WHERE job.kind IN ({', '.join(map(repr, map(str, of)))}))"  # noqa: S608 -- the words are ours
        for of, query in _OWNERS.items()
        if not kinds.isdisjoint(of)
    )
    # From both ends, so that another automation's job is seen behind a hundred thousand of one.
    return text(f"""
    UPDATE job SET (workspace_id, lane, urgent) = (
        SELECT coalesce(job.workspace_id, max(owner.workspace_id), ''),
            coalesce(max(owner.lane), ''), coalesce(bool_or(owner.urgent), false)
        FROM ({owner}) owner
    )
    WHERE id = ANY (ARRAY({_due("ASC")})) OR id = ANY (ARRAY({_due("DESC")}))
    """)  # noqa: S608 -- the words are ours


def _next(column: str, where: str, after: str) -> str:
    """SQL for the next value of an indexed column after another, wrapping around at the end."""
    first_after = (
        "SELECT min(line.value) FROM unnest(CAST(:kinds AS text[])) AS wanted CROSS JOIN LATERAL ("  # noqa: S608 -- the words are ours
        f" SELECT {column} AS value FROM job WHERE kind = wanted AND lane IS NOT NULL AND {where}"
        " {behind} ORDER BY " + column + " LIMIT 1) line"
    )
    behind = first_after.format(behind=f"AND {column} > {after}")
    return f"coalesce(({behind}), ({first_after.format(behind='')}))"


_OF_WORKSPACE = "urgent = :urgent AND workspace_id = chosen.workspace_id"

_WORKSPACES = text(f"""
WITH RECURSIVE walk (urgent, workspace_id, begin, place) AS (
    SELECT lines.urgent, next.workspace_id, next.workspace_id, 1
    FROM (VALUES (true, :after_urgent), (false, :after)) lines (urgent, after)
    CROSS JOIN LATERAL (
        SELECT {_next("workspace_id", "urgent = lines.urgent", "lines.after")} AS workspace_id
    ) next
    WHERE next.workspace_id IS NOT NULL
UNION ALL
    SELECT walk.urgent, next.workspace_id, walk.begin, walk.place + 1
    FROM walk CROSS JOIN LATERAL (
        SELECT {_next("workspace_id", "urgent = walk.urgent", "walk.workspace_id")} AS workspace_id
    ) next
    WHERE walk.place < :most AND next.workspace_id <> walk.begin
)
SELECT urgent, workspace_id FROM walk
WHERE workspace_id <> ALL (CAST(:full AS text[])) ORDER BY place
""")  # noqa: S608 -- the words are ours

_ALLOWED = "coalesce(CAST(CAST(:allowed AS json) ->> lanes.lane AS integer), :allowance)"
_SHARE = f"least(shares.jobs, {_ALLOWED})"

_PICK = text(f"""
WITH chosen AS (
    SELECT * FROM unnest(CAST(:workspaces AS text[]), CAST(:after AS text[]))
        WITH ORDINALITY AS given (workspace_id, after, place)
), lanes AS MATERIALIZED (
    SELECT chosen.workspace_id, chosen.place AS workspace, lanes.lane, lanes.place
    FROM chosen CROSS JOIN LATERAL (
        WITH RECURSIVE walk (lane, begin, place) AS (
            SELECT next.lane, next.lane, 1
            FROM (SELECT {_next("lane", _OF_WORKSPACE, "chosen.after")} AS lane) next
            WHERE next.lane IS NOT NULL
        UNION ALL
            SELECT next.lane, walk.begin, walk.place + 1
            FROM walk CROSS JOIN LATERAL (
                SELECT {_next("lane", _OF_WORKSPACE, "walk.lane")} AS lane
            ) next
            WHERE walk.place < :lanes AND next.lane <> walk.begin
        )
        SELECT lane, place FROM walk
    ) lanes
    WHERE {_ALLOWED} > 0
), shares AS (
    SELECT workspace, CAST(ceil(CAST(:share AS numeric) / count(*)) AS integer) AS jobs
    FROM lanes GROUP BY workspace
), found AS MATERIALIZED (
    SELECT lanes.*, ready.id, ready.available_at
    FROM lanes JOIN shares USING (workspace) CROSS JOIN LATERAL (
        SELECT own.* FROM unnest(CAST(:kinds AS text[])) AS wanted CROSS JOIN LATERAL (
            SELECT id, available_at FROM job
            WHERE kind = wanted AND urgent = :urgent
                AND workspace_id = lanes.workspace_id AND job.lane = lanes.lane
            ORDER BY available_at, id LIMIT {_SHARE} FOR UPDATE SKIP LOCKED
        ) own
        ORDER BY own.available_at, own.id LIMIT {_SHARE}
    ) ready
), rounds AS (
    SELECT *, row_number() OVER (PARTITION BY workspace, lane ORDER BY available_at, id) AS round
    FROM found
), turns AS (
    SELECT *, row_number() OVER (PARTITION BY workspace ORDER BY round, place) AS turn FROM rounds
)
SELECT id, workspace_id, lane FROM turns ORDER BY turn, workspace LIMIT :limit
""")  # noqa: S608 -- the words are ours

_URGENT_INTERVAL = 4
"""One of this many claims begins with jobs that are not urgent, the others with urgent ones."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many jobs each lane may get; None for any number.

    Args:
        of_lanes: by automation.
        of_others: for each automation that is not among these.
        full: workspaces that get none.
    """

    of_lanes: Mapping[str, int] = field(default_factory=dict)
    of_others: int | None = None
    full: Sequence[str] = ()

    @property
    def closed(self) -> int:
        """How many automations get nothing; any of the next lanes may be one of these."""
        return sum(number < 1 for number in self.of_lanes.values())


@dataclass(slots=True)
class _Turn:
    """Whose turn was the last: the workspace, and in each workspace the automation."""

    workspace: str = ""
    lanes: dict[str, str] = field(default_factory=dict)


_MAX_REMEMBERED = 10_000
"""Workspaces; beyond that, turns restart with the first automation of each."""


def ready(session: Session, kinds: Collection[str]) -> frozenset[str]:
    """Those of some kinds of which a job may be claimed now, if there is room for it."""
    rows = session.execute(_QUEUED, {"kinds": list(kinds)})
    return frozenset(row.kind for row in rows if row.due or row.in_line)


class Turns:
    """The turns of one dispatcher; not thread-safe."""

    def __init__(self) -> None:
        self._claims = 0
        self._last = {True: _Turn(), False: _Turn()}

    def next(
        self, session: Session, limit: int, kinds: Collection[str], room: Room
    ) -> dict[int, str]:
        """Lock the next jobs, and return their ids and lanes in the order of turns."""
        queued = session.execute(_QUEUED, {"kinds": list(kinds)}).all()
        if due := frozenset(row.kind for row in queued if row.due):
            session.execute(_line_up(due), {"kinds": list(due)})
        values = {"kinds": [row.kind for row in queued if row.due or row.in_line]}
        if not values["kinds"]:
            return {}
        waiting = session.execute(
            _WORKSPACES,
            {
                **values,
                "after_urgent": self._last[True].workspace,
                "after": self._last[False].workspace,
                "most": limit + len(room.full) + room.closed,
                "full": list(room.full),
            },
        ).all()
        self._claims += 1
        urgent_first = self._claims % _URGENT_INTERVAL != 0
        picked: dict[int, str] = {}
        for urgent in (urgent_first, not urgent_first):
            workspace_ids = [row.workspace_id for row in waiting if row.urgent is urgent]
            if workspace_ids and len(picked) < limit:
                left = limit - len(picked)
                next_ids = workspace_ids[: left + room.closed]
                picked |= self._pick(session, left, values, urgent, next_ids, room)
        return picked

    def _pick(
        self,
        session: Session,
        limit: int,
        values: Mapping[str, object],
        urgent: bool,
        workspaces: list[str],
        room: Room,
    ) -> dict[int, str]:
        last = self._last[urgent]
        share = math.ceil(limit / min(limit, len(workspaces)))
        picked = session.execute(
            _PICK,
            {
                **values,
                "urgent": urgent,
                "limit": limit,
                "workspaces": workspaces,
                "after": [last.lanes.get(workspace_id, "") for workspace_id in workspaces],
                "share": share,
                "lanes": share + room.closed,
                "allowed": json.dumps(room.of_lanes),
                "allowance": limit if room.of_others is None else room.of_others,
            },
        ).all()
        if len(last.lanes) > _MAX_REMEMBERED:
            last.lanes.clear()
        served: set[tuple[str, str]] = set()
        for row in picked:
            if (row.workspace_id, row.lane) not in served:
                served.add((row.workspace_id, row.lane))
                last.lanes[row.workspace_id] = row.lane
                last.workspace = row.workspace_id
        return {row.id: row.lane for row in picked}
