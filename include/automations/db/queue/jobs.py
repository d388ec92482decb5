"""The dispatcher's queue: a job returns to it when its holder dies, or hangs beyond its lease."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from datetime import timedelta

import psycopg2.extensions
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from automations.db.queue.lanes import Room, Turns
from automations.db.tables import Job, JobKind

WAKE = "automations_dispatch"
SLOW, EXPRESS = "slow", "express"
"""The payloads of notifications for slow jobs and for express runs; for other jobs it is empty."""
_LEASE = timedelta(seconds=60)
"""After this others may claim a job, even if its holder still hangs; doing a job twice is safe."""

_HOLDERS, _EXPRESS_WORKERS = 0x686F6C64, 0x65787072
"""First halves of the keys of advisory locks: a holder has the first while it is alive, and the
second as well if it is an express worker."""
_NAME_LENGTH = 63
"""The most that PostgreSQL keeps of an application's name."""

_ENQUEUE = text("""
WITH queued AS (
    INSERT INTO job (kind, subject_id, workspace_id, available_at)
    VALUES (:kind, :subject_id, :workspace_id, clock_timestamp() + :delay)
    ON CONFLICT (kind, subject_id) DO UPDATE
    SET available_at = excluded.available_at, failures = 0, error = NULL, dead_at = NULL
    WHERE job.dead_at IS NOT NULL
)
SELECT pg_notify(:channel, :payload)
""")

_CLAIM = text("""
UPDATE job SET available_at = clock_timestamp() + :lease, lane = NULL, claims = claims + 1,
    holder = :holder
WHERE id = ANY (CAST(:ids AS bigint[]))
RETURNING *
""")

# The count of claims must match: whoever has lost the lease must not remove another's job.
_DONE = text("DELETE FROM job WHERE id = :id AND claims = :claims")

# Without a delay, a job gets its original place in the queue back.
_PUT_BACK = text("""
UPDATE job SET available_at = coalesce(clock_timestamp() + CAST(:delay AS interval), created_at),
    holder = NULL, error = :error, failures = :failures
WHERE id = :id AND claims = :claims
""")

_NEXT = text("""
SELECT extract(epoch FROM min(next.available_at) - clock_timestamp())
FROM unnest(CAST(:kinds AS text[])) AS wanted CROSS JOIN LATERAL (
    SELECT available_at FROM job WHERE kind = wanted AND lane IS NULL AND dead_at IS NULL
    ORDER BY available_at LIMIT 1
) next
""")

# The locks are read only if there is a claim of another holder: a lone dispatcher never does.
_RELEASE = text("""
UPDATE job SET available_at = clock_timestamp(), holder = NULL
WHERE holder <> :me AND dead_at IS NULL AND holder NOT IN (
    SELECT objid::bigint FROM pg_locks
    WHERE locktype = 'advisory' AND classid::bigint = :holders AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
RETURNING pg_notify(:channel, ''), pg_notify(:channel, :slow), pg_notify(:channel, :express)
""")

_RELEASE_UNKNOWN = text("""
UPDATE job SET available_at = clock_timestamp(), holder = NULL
WHERE holder = :me AND dead_at IS NULL AND id <> ALL (CAST(:known AS bigint[]))
""")

_COUNT_EXPRESS_WORKERS = text("""
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid::bigint = :workers AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")

_IS_THERE = text("""
SELECT EXISTS (
    SELECT FROM pg_stat_activity JOIN pg_locks USING (pid)
    WHERE application_name = :name AND backend_start >= to_timestamp(:since)
        AND locktype = 'advisory' AND classid::bigint = :holders AND granted
)
""")

# Jobs from the future keep the length of their delay, which starts now.
_FROM_LATER = text("""
WITH later AS (
    UPDATE job SET available_at = clock_timestamp() + (available_at - created_at),
        created_at = clock_timestamp()
    WHERE created_at > clock_timestamp() + interval '1 second' AND dead_at IS NULL
    RETURNING id
)
SELECT pg_notify(:channel, payload)
FROM unnest(ARRAY['', :slow, :express]) payload WHERE EXISTS (SELECT FROM later)
""")

_RENEW = text("""
UPDATE job SET available_at = clock_timestamp() + :lease
WHERE holder = :holder AND id = ANY (CAST(:ids AS bigint[]))
""")


def register(
    connection: psycopg2.extensions.connection,
    holder: int,
    *,
    name: str | None = None,
    express: bool = False,
) -> None:
    """Listen for work, and count as alive as long as the connection lives.

    Args:
        name: the name for ``is_registered``.
        express: whether this is an express worker.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_HOLDERS, holder))
        if name is not None:
            cursor.execute(
                "SELECT set_config('application_name', %s, false)", (_qualified_name(name),)
            )
        if express:
            cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_EXPRESS_WORKERS, holder))
        cursor.execute(f"LISTEN {WAKE}")


def release_abandoned(session: Session, me: int) -> int:
    """Release the jobs of other holders that are gone; returns how many there were.

    Args:
        me: the holder that asks.
    """
    channels = {"channel": WAKE, "slow": SLOW, "express": EXPRESS}
    return len(session.execute(_RELEASE, {"holders": _HOLDERS, "me": me, **channels}).all())


def release_unknown(session: Session, me: int, job_ids: Iterable[int]) -> None:
    """Release the jobs that a holder claimed without knowing, since the answer was lost.

    Args:
        job_ids: ids of the jobs that it has in flight.
    """
    session.execute(_RELEASE_UNKNOWN, {"me": me, "known": list(job_ids)})


def undo_clock_jump(session: Session) -> None:
    """After the clock was set back, do not have jobs from before wait until it catches up."""
    session.execute(_FROM_LATER, {"channel": WAKE, "slow": SLOW, "express": EXPRESS})


def express_workers(session: Session) -> int:
    """How many express workers are alive, on all machines."""
    return session.scalar(_COUNT_EXPRESS_WORKERS, {"workers": _EXPRESS_WORKERS}) or 0


def is_registered(session: Session, name: str, since: float) -> bool:
    """Whether a holder of this machine with a name is alive, and connected since a Unix time."""
    values = {"name": _qualified_name(name), "since": since, "holders": _HOLDERS}
    return bool(session.scalar(_IS_THERE, values))


def _qualified_name(name: str) -> str:
    return f"{name}@{socket.gethostname()}"[:_NAME_LENGTH]


def renew(session: Session, claimed: Iterable[Job], holder: int) -> None:
    """Extend the leases of jobs that take long."""
    ids = [job.id for job in claimed]
    session.execute(_RENEW, {"ids": ids, "holder": holder, "lease": _LEASE})


def enqueue(
    session: Session,
    kind: JobKind,
    subject_id: str,
    delay: timedelta = timedelta(0),
    *,
    workspace_id: str | None = None,
) -> None:
    """Add a job, unless there is one of this kind and subject; wake the dispatchers on commit.

    A job that was given up is tried again.

    Args:
        workspace_id: for slow jobs: the workspace in whose limit it counts.
    """
    values = {
        "kind": kind,
        "subject_id": subject_id,
        "workspace_id": workspace_id,
        "delay": delay,
        "channel": WAKE,
        "payload": _payload(kind, workspace_id),
    }
    session.connection().execute(_ENQUEUE, values)


def _payload(kind: JobKind, workspace_id: str | None) -> str:
    if kind == JobKind.EXPRESS_RUN:
        return EXPRESS
    return "" if workspace_id is None else SLOW


def enqueue_all(session: Session, kind: JobKind, subject_ids: Sequence[str]) -> None:
    """Add jobs of one kind, as ``enqueue``."""
    for subject_id in subject_ids:
        enqueue(session, kind, subject_id)


def cancel(session: Session, kind: JobKind, subject_id: str) -> None:
    """Remove a job that is not wanted any more."""
    session.execute(delete(Job).where(Job.kind == kind, Job.subject_id == subject_id))


def is_queued(session: Session, kind: JobKind, subject_id: str) -> bool:
    """Whether there is a job of this kind for the subject that was not given up."""
    query = select(Job.id).where(
        Job.kind == kind, Job.subject_id == subject_id, Job.dead_at.is_(None)
    )
    return session.scalar(query) is not None


def notify(session: Session, channel: str, payload: str = "") -> None:
    """Wake the listeners of a channel when this transaction commits."""
    session.execute(select(func.pg_notify(channel, payload)))


def claim(
    session: Session,
    limit: int,
    kinds: Iterable[str],
    *,
    holder: int | None = None,
    lease: timedelta = _LEASE,
    turns: Turns | None = None,
    room: Room | None = None,
) -> list[Job]:
    """Claim ready jobs of some kinds for the length of a lease, lane after lane in turns.

    Args:
        holder: who claims them; without one, only the lease brings the jobs back.
        turns: which lanes had their turn; without, the first lane begins.
        room: how many jobs each lane may get.
    """
    ids = (turns or Turns()).next(session, limit, list(kinds), room or Room())
    if not ids:
        return []
    values = {"ids": list(ids), "lease": lease, "holder": holder}
    claimed = {job.id: job for job in session.scalars(select(Job).from_statement(_CLAIM), values)}
    for job in claimed.values():
        # The lane that it was in, for whoever counts what each lane has in flight.
        set_committed_value(job, "lane", ids[job.id])
    return [claimed[job_id] for job_id in ids]


def complete(session: Session, job: Job) -> bool:
    """Remove a job that is done; False if its lease was lost to another worker meanwhile."""
    result = session.connection().execute(_DONE, {"id": job.id, "claims": job.claims})
    return result.rowcount == 1


def reschedule(session: Session, job: Job, delay: timedelta, error: str | None = None) -> None:
    """Put a job back until later, without counting that as a failure."""
    _put_back(session, job, delay, error, job.failures)


def retry(session: Session, job: Job, delay: timedelta, error: str) -> None:
    """Put a job back after a failure, and count that."""
    _put_back(session, job, delay, error, job.failures + 1)


def requeue(session: Session, job: Job, delay: timedelta = timedelta(0)) -> bool:
    """Put a job back for its next part, with its failures reset.

    Returns:
        False when its lease was lost to another worker meanwhile.
    """
    return _put_back(session, job, delay, None, 0)


def release(session: Session, claimed: Iterable[Job]) -> None:
    """Put back jobs that were not tried, ready and in their original places."""
    for job in claimed:
        _put_back(session, job, None, job.error, job.failures)


def _put_back(
    session: Session, job: Job, delay: timedelta | None, error: str | None, failures: int
) -> bool:
    # The claim must match: whoever has lost the lease changes nothing, so ``failures`` is current.
    values = {"id": job.id, "claims": job.claims, "delay": delay, "error": error}
    done = session.connection().execute(_PUT_BACK, {**values, "failures": failures})
    return done.rowcount == 1


def dead_letter(session: Session, job: Job, error: str) -> bool:
    """Give a job up; it stays, with its error, until somebody replays it.

    Returns:
        False when its lease was lost to another worker meanwhile.
    """
    job_id = session.scalar(
        update(Job)
        .where(Job.id == job.id, Job.claims == job.claims)
        .values(dead_at=func.clock_timestamp(), error=error)
        .returning(Job.id)
    )
    return job_id is not None


def seconds_to_next(session: Session, kinds: Iterable[str]) -> float | None:
    """How long until the next job of some kinds becomes ready; None if there is none.

    Jobs in a lane do not count: they wait for a worker or for room, not for a time.
    """
    wait = session.scalar(_NEXT, {"kinds": list(kinds)})
    return None if wait is None else float(wait)
