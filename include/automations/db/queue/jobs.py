"""The dispatcher's queue: jobs come back when their holder is gone, or hangs beyond its lease."""

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
"""What is notified of a job that waits for others outside, and of one for express workers; of any
other it is nothing."""
_LEASE = timedelta(seconds=60)
"""After it a job is anybody's, also when its holder is there and hangs; to do one twice is safe."""

_HOLDERS, _EXPRESS_WORKERS = 0x686F6C64, 0x65787072
"""The first halves of the keys of the advisory locks by which holders are known to be there, and
which of them are express workers."""
_NAME_LENGTH = 63
"""The most that PostgreSQL shows of the name of who is connected."""

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

# By the count of claims: who has lost the lease neither removes nor moves another one's job.
_DONE = text("DELETE FROM job WHERE id = :id AND claims = :claims")

# Without a delay it has the place again that it had from the beginning.
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

# The locks are read when the first claim of another is met: alone, a dispatcher never reads them.
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

# Their time is as much later as they were to wait, and they wait no longer for it than that.
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
    """Listen for work, and be known to be there as long as the connection lives.

    Args:
        name: by which others see that this one is there.
        express: whether it is an express worker.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_HOLDERS, holder))
        if name is not None:
            cursor.execute("SELECT set_config('application_name', %s, false)", (_known_as(name),))
        if express:
            cursor.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_EXPRESS_WORKERS, holder))
        cursor.execute(f"LISTEN {WAKE}")


def release_abandoned(session: Session, me: int) -> int:
    """Make ready again what was claimed by other holders that are gone; returns how many.

    Args:
        me: the holder that asks.
    """
    told = {"channel": WAKE, "slow": SLOW, "express": EXPRESS}
    return len(session.execute(_RELEASE, {"holders": _HOLDERS, "me": me, **told}).all())


def release_unknown(session: Session, me: int, known: Iterable[int]) -> None:
    """Make ready again what a holder has claimed without hearing so: the answer was lost.

    Args:
        known: ids of the jobs that it has in flight.
    """
    session.execute(_RELEASE_UNKNOWN, {"me": me, "known": list(known)})


def undo_clock_jump(session: Session) -> None:
    """Have what was asked for before the clock was set back not wait until it is there again."""
    session.execute(_FROM_LATER, {"channel": WAKE, "slow": SLOW, "express": EXPRESS})


def express_workers(session: Session) -> int:
    """How many express workers are there, on whichever machines."""
    return session.scalar(_COUNT_EXPRESS_WORKERS, {"workers": _EXPRESS_WORKERS}) or 0


def is_registered(session: Session, name: str, since: float) -> bool:
    """Whether somebody of this machine attends by a name, since a moment, as seconds since 1970."""
    values = {"name": _known_as(name), "since": since, "holders": _HOLDERS}
    return bool(session.scalar(_IS_THERE, values))


def _known_as(name: str) -> str:
    return f"{name}@{socket.gethostname()}"[:_NAME_LENGTH]


def renew(session: Session, claimed: Iterable[Job], holder: int) -> None:
    """Keep jobs that take long for the length of another lease."""
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
    """Add a job, once per kind and subject, and wake the dispatchers when this commits.

    One that was given up is tried again.

    Args:
        workspace_id: whose it is; of those that wait for others outside.
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
    """Take ready jobs of some kinds for the length of a lease, in the order of their turns.

    Args:
        holder: who attends; without, only the lease brings the jobs back.
        turns: who had the last ones; without, the first in line begins.
        room: who may be given how many.
    """
    found = (turns or Turns()).next(session, limit, list(kinds), room or Room())
    if not found:
        return []
    values = {"ids": list(found), "lease": lease, "holder": holder}
    claimed = {job.id: job for job in session.scalars(select(Job).from_statement(_CLAIM), values)}
    for job in claimed.values():
        # Where it has been, for whoever counts what each line has in flight.
        set_committed_value(job, "lane", found[job.id])
    return [claimed[one] for one in found]


def done(session: Session, job: Job) -> bool:
    """Remove a job; False when its lease was lost to another worker meanwhile."""
    found = session.connection().execute(_DONE, {"id": job.id, "claims": job.claims})
    return found.rowcount == 1


def reschedule(session: Session, job: Job, delay: timedelta, error: str | None = None) -> None:
    """Put a job back until later; that is no failure, so it may happen any number of times."""
    _put_back(session, job, delay, error, job.failures)


def retry(session: Session, job: Job, delay: timedelta, error: str) -> None:
    """Put a job back after a failure, of which few are allowed."""
    _put_back(session, job, delay, error, job.failures + 1)


def requeue(session: Session, job: Job, delay: timedelta = timedelta(0)) -> bool:
    """Put a job back for its next part; that it failed before is forgiven.

    Returns:
        False when its lease was lost to another worker meanwhile.
    """
    return _put_back(session, job, delay, None, 0)


def release(session: Session, claimed: Iterable[Job]) -> None:
    """Put back jobs that were not tried, ready and in the places that they had."""
    for job in claimed:
        _put_back(session, job, None, job.error, job.failures)


def _put_back(
    session: Session, job: Job, delay: timedelta | None, error: str | None, failures: int
) -> bool:
    # By the claim: who has lost the lease changes nothing, and so has counted the failures right.
    values = {"id": job.id, "claims": job.claims, "delay": delay, "error": error}
    done = session.connection().execute(_PUT_BACK, {**values, "failures": failures})
    return done.rowcount == 1


def dead_letter(session: Session, job: Job, error: str) -> bool:
    """Give a job up; it stays, with its error, until somebody replays it.

    Returns:
        False when its lease was lost to another worker meanwhile.
    """
    found = session.scalar(
        update(Job)
        .where(Job.id == job.id, Job.claims == job.claims)
        .values(dead_at=func.clock_timestamp(), error=error)
        .returning(Job.id)
    )
    return found is not None


def seconds_to_next(session: Session, kinds: Iterable[str]) -> float | None:
    """How long until the next job of some kinds becomes ready; None when there is none.

    What stands in line does not count: it waits for a worker or for room, not for the clock.
    """
    wait = session.scalar(_NEXT, {"kinds": list(kinds)})
    return None if wait is None else float(wait)
