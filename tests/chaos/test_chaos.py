"""Nothing is lost and nothing is done twice, whatever is done to the parts of a live stack."""

from __future__ import annotations

import secrets
import time
from random import Random

import pytest

from tests.chaos import faults
from tests.chaos.clients import Clients
from tests.chaos.databases import Databases
from tests.chaos.invariants import violations
from tests.chaos.leftovers import leftovers
from tests.e2e.conftest import Stack

REST = 900.0
"""Seconds in which the busiest machine comes to rest."""
PACE = 0.7
"""Runs a second: some are under way at each fault."""
BETWEEN = 4.0
"""Seconds between two faults, in which something happens."""
USUAL = 421_365
"""The seed of the short form: beside each change the same is done; the whole form looks further."""


def wrong(stack: Stack, clients: Clients) -> list[str]:
    """What does not hold now."""
    records = clients.records()
    records.left = leftovers(stack)
    databases = Databases(stack)
    return violations(databases.dsn("automations"), databases.dsn("airflow"), records)


@pytest.mark.slow
def test_every_invariant_holds_after_all_that_may_happen_to_a_stack(
    stack: Stack, request: pytest.FixtureRequest
) -> None:
    whole = request.config.getoption("whole")
    given = request.config.getoption("seed")
    chance = secrets.randbelow(1_000_000) if whole else USUAL
    seed = chance if given is None else given
    runs = request.config.getoption("runs") or (300 if whole else 40)
    # To repeat it: ./automations test chaos --seed ...
    print(f"\nchaos: seed {seed}, {runs} runs", flush=True)
    random = Random(seed)
    chosen = (faults.whole if whole else faults.short)(stack, random)
    if whole and stack.home.parent.is_mount():
        chosen.insert(random.randrange(len(chosen) - 1), faults.fill_disk(stack.home))
    clients = Clients(stack, seed)
    try:
        clients.begin(runs, max(runs / PACE, len(chosen) * BETWEEN))
        for fault in chosen:
            time.sleep(BETWEEN)
            print(f"chaos: {fault.name}, {clients.sent} triggers accepted", flush=True)
            fault.strike(stack)
        clients.finish()
        stack.healthy()
        deadline = time.monotonic() + REST
        while found := wrong(stack, clients):
            print(f"chaos: {len(found)} still to come right, as {found[0]}", flush=True)
            if time.monotonic() > deadline:
                pytest.fail("\n".join([f"seed {seed}:", *found]))
            time.sleep(5)
    finally:
        clients.close()
