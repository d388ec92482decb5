"""Mail servers that hang, or take long, hold up nobody but those who use them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from automations.adapters.smtp import SmtpTransport
from automations.db.queue import jobs
from automations.db.session import unit_of_work
from automations.db.tables import Approver, JobKind, Wait
from automations.db.waits import waits
from automations.dispatch.slow_work import WORKERS, WORKSPACE_LIMIT, SlowWork
from automations.domain.statuses import WaitKind
from automations.services.integrations import integrations
from automations.services.integrations.mail import WorkspaceMailer
from tests.db.dispatching import Airflow, automation, dispatching, executed
from tests.db.workspace import workspace
from tests.servers.mailbox import Mailbox
from tests.waiting import until


class Silent:
    """A mail server that takes connections and never says a word."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.connected: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connected.append(connection)

    def hang_up(self) -> None:
        """End it, and let those go on who wait for it; also when it has ended."""
        if self._thread.is_alive():
            self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            self._thread.join(10)
        for connection in self.connected:
            connection.close()


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.hang_up()


def asked(run_id: str, *approvers: str) -> Wait:
    with unit_of_work() as session:
        return waits.open_wait(
            session,
            waits.NewWait(
                run_id=run_id,
                node_id="ask",
                generation=0,
                kind=WaitKind.DECISION,
                due_at=datetime.now(UTC) + timedelta(days=1),
                question={"subject": "Approval needed", "body": "OK?"},
                approvers=approvers or ("ada@b.example",),
            ),
        )


def approver(wait: Wait) -> str:
    with unit_of_work() as session:
        return session.scalars(select(Approver.id).where(Approver.wait_id == wait.id)).one()


def uses(here: str, port: int) -> None:
    """Have a workspace use a mail server of its own."""
    integrations.create(
        here,
        name="Office",
        kind="EMAIL_PROVIDER",
        config={
            "host": "127.0.0.1",
            "port": port,
            "security": "none",
            "fromEmail": "office@b.example",
            "fromName": "Office",
        },
        credentials={},
        enabled=True,
        site_email_provider=True,
    )


@pytest.mark.slow
def test_a_mail_server_that_hangs_holds_up_no_run_and_nobody_elses_mail(
    silent: Silent, mailbox: Mailbox
) -> None:
    hung, other = workspace("hung"), workspace("other")
    uses(hung, silent.port)
    for run_id in executed(hung, automation(hung), 3 * WORKERS):
        asked(run_id)
    airflow = Airflow()
    mailer = WorkspaceMailer(SmtpTransport([f"127.0.0.1:{silent.port}"]))
    with dispatching(airflow, mailer=mailer):
        until("its share to hang", lambda: len(silent.connected) == WORKSPACE_LIMIT)
        until("its own runs", lambda: len(airflow.made) == 3 * WORKERS)
        theirs = executed(other, automation(other), 10)
        for run_id in theirs:
            asked(run_id)
        until("the others' runs", lambda: set(theirs) <= set(airflow.made))
        until("the others' mail", lambda: len(mailbox.envelopes) == 10)
        assert len(silent.connected) == WORKSPACE_LIMIT
        silent.hang_up()


def test_of_each_workspace_no_more_than_its_share_is_in_hand(database: str) -> None:
    here, there = workspace("here"), workspace("there")
    runs = executed(here, automation(here), WORKSPACE_LIMIT + 1) + executed(
        there, automation(there), 1
    )
    found = [approver(asked(run_id)) for run_id in runs]
    work = SlowWork({JobKind.ASK_APPROVER})
    taken = [work.take(1)[0] for _ in range(WORKSPACE_LIMIT + 1)]
    assert [job.subject_id for job in taken if job] == [
        found[0],
        found[-1],
        *found[1:WORKSPACE_LIMIT],
    ]
    # What waits for room is not due, however long it has been: nobody looks again and again.
    none, pause = work.take(1)
    assert none is None
    assert pause is not None
    assert pause > 60
    assert taken[0] is not None
    with unit_of_work() as session:
        jobs.complete(session, taken[0])
    work.release(taken[0])
    job, _ = work.take(1)
    assert job is not None
    assert job.subject_id == found[WORKSPACE_LIMIT]
