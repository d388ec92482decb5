"""What the dispatcher does for each kind of job."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from automations.db import jobs, run_steps, runs, versions, waits
from automations.db.session import Session, unit_of_work
from automations.db.tables import Approver, Event, FormRequest, Job, Run, Wait, Workflow
from automations.definitions.published import dag_id
from automations.errors import NotVisibleYet, StepError
from automations.execution.recording import DECISION_OPTIONS
from automations.kit import tracing
from automations.ports import Mail, Orchestrator, Ports, Visible
from automations.services.events import matching
from automations.services.pipelines import pulls
from automations.services.runs import admission, failure_reports, replays
from automations.services.waits.form_requests import is_needed, link_token
from automations.tokens import callback_url, derive_token, form_url, hash_token

_MAX_READ_TIME = 10.0
"""Seconds; what is begun by then is done well before another dispatcher takes the job over."""


class Deliveries:
    """Carries one job at a time; safe to be used by several threads."""

    def __init__(self, orchestrator: Orchestrator, ports: Ports) -> None:
        self._orchestrator = orchestrator
        self._ports = ports
        self._visible: dict[str, Visible] = {}
        self._lock = threading.Lock()

    def carry(self, job: Job) -> None:
        """Do a job and remove it."""
        KINDS[job.kind].carry(self, job)

    def give_up(self, job: Job, error: str) -> None:
        """Bury a job; a run that cannot be started, or a sync, fails with the reason."""
        with unit_of_work() as session:
            if not jobs.bury(session, job, error):
                return
            if job.kind == "sync_pipeline":
                pulls.fail(session, job.subject_id, error)
            if job.kind in ("start_run", "start_child"):
                runs.end_run(session, job.subject_id, "FAILED", f"Could not be started: {error}")

    def _done(self, job: Job) -> None:
        with unit_of_work() as session:
            jobs.done(session, job)

    @staticmethod
    def _come_back(session: Session, job: Job, after: timedelta | None) -> None:
        """Put a job back until then, or end it when it is not to come back."""
        if after is None:
            jobs.done(session, job)
        else:
            jobs.again(session, job, after, None, counts=False)

    def _match_event(self, job: Job) -> None:
        with unit_of_work() as session:
            event = session.get_one(Event, job.subject_id)
            with tracing.span("match event", traceparent=event.traceparent, event_id=event.id):
                matching.match(session, event)
            jobs.done(session, job)

    def _end_debounce(self, job: Job) -> None:
        with unit_of_work() as session:
            self._come_back(session, job, matching.end_debounce(session, job.subject_id))

    def _start_run(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
            if run.status not in runs.UNFINISHED:
                jobs.done(session, job)
                return
            revision = versions.revision(session, run.workflow_id, run.version)
        dag = dag_id(run.workflow_id)
        self._await_visible(dag, Visible(run.version, revision))
        try:
            self._orchestrator.start(dag, run.id, run.input)
        except NotVisibleYet:
            with self._lock:
                self._visible.pop(dag, None)
            raise
        with unit_of_work() as session:
            runs.mark_dispatched(session, run.id)
            jobs.done(session, job)
        tracing.note("dispatch run", job.created_at, run.traceparent, run_id=run.id)

    def _await_visible(self, dag: str, needed: Visible) -> None:
        # Both are asked for: Airflow may store the outcome of a parse that began before an edit
        # under the revision after it, and would then run new code in the old structure.
        with self._lock:
            known = self._visible.get(dag)
        if _covers(known, needed):
            return
        found = self._orchestrator.visible(dag)
        if found is None or not _covers(found, needed):
            raise NotVisibleYet(f"{dag} is not yet parsed at version {needed.version}.")
        with self._lock:
            self._visible[dag] = found

    def _answer_wait(self, job: Job) -> None:
        with unit_of_work() as session:
            wait = session.get_one(Wait, job.subject_id)
            run = session.get_one(Run, wait.run_id)
            step = run_steps.step(session, wait.run_id, wait.node_id)
            waiting = (
                run.status in runs.UNFINISHED
                and step is not None
                and step.status == "WAITING"
                and step.generation == wait.generation
            )
        if waiting:
            option = DECISION_OPTIONS.get(wait.decision or "", "Continue")
            params = wait.data if isinstance(wait.data, dict) else {}
            self._orchestrator.answer(dag_id(run.workflow_id), run.id, wait.node_id, option, params)
        self._done(job)

    def _ask_approvers(self, job: Job) -> None:
        """Send everybody who was not asked yet a link of their own."""
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
            todo = waits.unasked(session, wait)
        for approver in todo:
            self._ask(run, wait, approver, "")
        with unit_of_work() as session:
            # First: whoever is added meanwhile is seen here, or makes a job of their own.
            jobs.done(session, job)
            if waits.unasked(session, session.get_one(Wait, wait.id)):
                jobs.enqueue(session, "ask_approvers", wait.id)

    def _remind_approvers(self, job: Job) -> None:
        """Send those who have not decided their link again, and come back after a while."""
        with unit_of_work() as session:
            wait, run = _wait_and_run(session, job)
            todo = [person for person in waits.approvers(session, wait.id) if not person.used_at]
        if wait.status != "OPEN":
            self._done(job)
            return
        every = timedelta(seconds=(wait.question or {})["remind_seconds"])
        number = (datetime.now(UTC) - wait.created_at) // every
        for approver in todo:
            self._ask(run, wait, approver, f":reminder:{number}")
        self._later(job, every)

    def _escalate(self, job: Job) -> None:
        """Ask more people, since nobody has decided in time."""
        with unit_of_work() as session:
            wait, _ = _wait_and_run(session, job)
            if wait.status == "OPEN":
                waits.add_approvers(session, wait, (wait.question or {})["escalate_to"])
            jobs.done(session, job)

    def _ask(self, run: Run, wait: Wait, approver: Approver, occasion: str) -> None:
        # Derived, so that a repeat after a crash and a reminder carry the same link.
        token = derive_token(f"approver:{approver.id}", approver.token_hash)
        with unit_of_work() as session:
            session.get_one(Approver, approver.id).token_hash = hash_token(token)
        question = wait.question or {}
        subject = question.get("subject", "Your decision is needed")
        self._ports.mailer.send(
            Mail(
                to=(approver.address,),
                subject=f"Reminder: {subject}" if occasion else subject,
                body=f"{question.get('body', '')}\n\nTo decide, open: {callback_url(token)}\n"
                f"The link is yours alone and works until {_in_words(wait.due_at)}.\n",
                key=f"approver:{approver.id}{occasion}",
                workspace_id=run.workspace_id,
            )
        )
        with unit_of_work() as session:
            session.get_one(Approver, approver.id).sent_at = datetime.now(UTC)

    def _send_form(self, job: Job) -> None:
        """Send one person the link to a form, and remind them when that is wished."""
        with unit_of_work() as session:
            request = session.get_one(FormRequest, job.subject_id)
            needed = is_needed(session, request)
            link = form_url(link_token(request))
        if not needed:
            self._done(job)
            return
        now = datetime.now(UTC)
        every = timedelta(seconds=request.remind_seconds) if request.remind_seconds else None
        number = (now - request.created_at) // every if every and request.sent_at else 0
        self._ports.mailer.send(
            Mail(
                to=(request.recipient,),
                subject=f"Reminder: {request.subject}" if number else request.subject,
                body=f"{request.message}\n\nPlease fill in: {link}\n"
                f"The link is yours alone and works until {_in_words(request.expires_at)}.\n",
                key=f"form:{request.id}:{number}",
                workspace_id=request.workspace_id,
            )
        )
        with unit_of_work() as session:
            session.get_one(FormRequest, request.id).sent_at = now
        if every is None:
            self._done(job)
        else:
            self._later(job, every)

    @staticmethod
    def _later(job: Job, delay: timedelta) -> None:
        with unit_of_work() as session:
            jobs.again(session, job, delay, None, counts=False)

    def _fail_run(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
        if run.dispatched_at is not None:
            self._orchestrator.fail(dag_id(run.workflow_id), run.id)
        self._done(job)

    def _retry_run(self, job: Job) -> None:
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
        if run.status == "FAILED":
            self._orchestrator.retry(dag_id(run.workflow_id), run.id)
        self._done(job)

    def _retry_latest(self, job: Job) -> None:
        """Let a failed run go on by the version that Airflow would take, if it still can."""
        with unit_of_work() as session:
            run = session.get_one(Run, job.subject_id)
            newest = session.get_one(Workflow, run.workflow_id).version
            revision = versions.revision(session, run.workflow_id, newest)
        if run.status == "FAILED":
            dag = dag_id(run.workflow_id)
            found = self._orchestrator.visible(dag)
            if found is None or not _covers(found, Visible(newest, revision)):
                raise NotVisibleYet(f"{dag} is not yet parsed at version {newest}.")
            if replays.prepare_for(run.id, found.version):
                self._orchestrator.retry(dag, run.id, latest=True)
        self._done(job)

    def _admit(self, job: Job) -> None:
        """Hand out the slots that are free for the runs of one key."""
        with unit_of_work() as session:
            # First, so that the same job may be asked for once more.
            jobs.done(session, job)
            admission.admit(session, session.get_one(Run, job.subject_id))

    def _report_failure(self, job: Job) -> None:
        with unit_of_work() as session:
            failure_reports.report(session, session.get_one(Run, job.subject_id), job.id)
            jobs.done(session, job)

    def _wake_parent(self, job: Job) -> None:
        """Let the run go on that waits for a child that has ended."""
        with unit_of_work() as session:
            child = session.get_one(Run, job.subject_id)
            # Locked first: a parent that is about to wait sees the child's end, or is seen here.
            runs.lock_run(session, str(child.parent_run_id))
            wait = waits.open_wait_of(session, str(child.parent_run_id))
            if wait is not None and wait.kind == "child" and waits.awaited_run(wait) == child.id:
                waits.settle(session, wait, decision="resumed", by=None, data=None)
            jobs.done(session, job)

    def _sync_pipeline(self, job: Job) -> None:
        """Read some pages of a pipeline's source; the job comes back for the next ones."""
        until = time.monotonic() + _MAX_READ_TIME
        try:
            more = pulls.advance(job.subject_id, self._ports.http)
            # After a failure only one, so that it is forgiven before there is another.
            while more and not job.failures and time.monotonic() < until:
                more = pulls.advance(job.subject_id, self._ports.http)
        except StepError as error:
            if not pulls.note(job.subject_id, error):
                raise
            more = False
        with unit_of_work() as session:
            if more:
                jobs.onward(session, job)
            else:
                jobs.done(session, job)

    def _schedule_pipeline(self, job: Job) -> None:
        """Begin a sync that is due, and come back when the next one is."""
        with unit_of_work() as session:
            self._come_back(session, job, pulls.due(session, job.subject_id))


def _wait_and_run(session: Session, job: Job) -> tuple[Wait, Run]:
    wait = session.get_one(Wait, job.subject_id)
    return wait, session.get_one(Run, wait.run_id)


def _in_words(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _covers(known: Visible | None, needed: Visible) -> bool:
    return (
        known is not None and known.version >= needed.version and known.revision >= needed.revision
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of job.

    Args:
        carry: does such a job, and removes it.
        airflow: whether that needs the orchestrator.
        limited: whether that waits while the orchestrator has as many runs as it may.
        slow: whether it may wait long for others, so that workers of their own carry it.
    """

    carry: Callable[[Deliveries, Job], None]
    airflow: bool = False
    limited: bool = False
    slow: bool = False


KINDS: Mapping[str, Kind] = {
    "match_event": Kind(Deliveries._match_event),
    "start_run": Kind(Deliveries._start_run, airflow=True, limited=True),
    "start_child": Kind(Deliveries._start_run, airflow=True),
    "answer_wait": Kind(Deliveries._answer_wait, airflow=True),
    "ask_approvers": Kind(Deliveries._ask_approvers),
    "remind_approvers": Kind(Deliveries._remind_approvers),
    "escalate_wait": Kind(Deliveries._escalate),
    "send_form": Kind(Deliveries._send_form),
    "fail_run": Kind(Deliveries._fail_run, airflow=True),
    "retry_run": Kind(Deliveries._retry_run, airflow=True),
    "wake_parent": Kind(Deliveries._wake_parent),
    "sync_pipeline": Kind(Deliveries._sync_pipeline, slow=True),
    "schedule_pipeline": Kind(Deliveries._schedule_pipeline),
    "retry_latest": Kind(Deliveries._retry_latest, airflow=True),
    "report_failure": Kind(Deliveries._report_failure),
    "admit_run": Kind(Deliveries._admit),
    "next_run": Kind(Deliveries._admit),
    "end_debounce": Kind(Deliveries._end_debounce),
}
"""Every kind of job there is."""
