"""What several tests against the database need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from automations.dispatch.jobs.registry import Handlers
from automations.execution.engine import Engine
from tests.db.place import Place
from tests.db.roles import Outbox, Scripts
from tests.db.workspace import workspace
from tests.doubles import ports
from tests.e2e.counterparts import Counterparts
from tests.environment import Environment
from tests.servers.mailbox import Mailbox


@pytest.fixture
def mailbox(database: str, environment: Environment) -> Iterator[Mailbox]:
    """The mail server of the installation."""
    mailbox = Mailbox()
    environment.set(
        AUTOMATIONS_SMTP_HOST="127.0.0.1",
        AUTOMATIONS_SMTP_PORT=str(mailbox.port),
        AUTOMATIONS_SMTP_SECURITY="none",
    )
    mailbox.start()
    yield mailbox
    mailbox.stop()


@pytest.fixture
def place(mailbox: Mailbox, environment: Environment) -> Iterator[Place]:
    counterparts = Counterparts()
    environment.set(**counterparts.environment(), AUTOMATIONS_HTTP_ALLOW=counterparts.address)
    counterparts.start()
    try:
        yield Place(mailbox, counterparts)
    finally:
        counterparts.stop()


@pytest.fixture
def here(database: str) -> str:
    """A workspace."""
    return workspace()


@pytest.fixture
def handlers(here: str) -> Handlers:
    """What the dispatcher does, where Airflow is not needed."""
    return Handlers(ports(), ports())  # type: ignore[arg-type]  # no Airflow here


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def scripts() -> Scripts:
    return Scripts()


@pytest.fixture
def engine(database: str, outbox: Outbox, scripts: Scripts) -> Engine:
    return Engine(ports(mailer=outbox, scripts=scripts))
