"""What tests of loops need: an engine whose mailer and service keep what they are asked."""

from __future__ import annotations

import pytest

from automations.adapters.quickjs.runner import QuickJsRunner
from automations.execution.engine import Engine
from automations.services.runs.children import StartedRuns
from tests.db.execution.loops.roles import Outbox, Service
from tests.doubles import ports


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def engine(database: str, outbox: Outbox, service: Service) -> Engine:
    roles = ports(mailer=outbox, http=service, children=StartedRuns(), scripts=QuickJsRunner())
    return Engine(roles)
