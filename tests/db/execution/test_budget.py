"""What the ai steps of one run may take in all, against a server that speaks a provider's API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from automations.adapters.language_model.asking import ProviderModels
from automations.definitions.checking import parse
from automations.execution.engine import Engine
from automations.execution.verdicts import GiveUp, Proceed, Retry
from automations.ports import TokenUsage
from automations.services.runs.model_usage import RunSpending
from tests.db.counting import statements
from tests.db.delays import let_pass
from tests.db.runs import begin, reload, row, step, task
from tests.doubles import ports
from tests.servers.model_provider import Provider, account
from tests.waiting import until

ANSWER = 17
"""Tokens of a question and its answer."""

MAX_COST = 2 + 1_000 + 100
"""What a question of two letters may take, at most, with its answer of 100 tokens."""


@pytest.fixture
def engine(database: str, provider: Provider) -> Engine:
    models = ProviderModels(lambda *_: account(provider), RunSpending())
    return Engine(ports(language_model=models))


def ask(name: str = "ask", order: int = 0, **more: Any) -> dict[str, Any]:
    config = {"prompt": "Hi", "maxTokens": 100, **more.pop("config", {})}
    return step(name, "ai", order, config, **more)


def loop(*, over: int, **more: Any) -> dict[str, Any]:
    config = {"collection": list(range(over)), "steps": [ask()], **more}
    return step("loop", "loop", 0, config)


def error(engine: Engine, run: Any, node: str) -> str:
    verdict = engine.run(task(run, node))
    assert isinstance(verdict, GiveUp), verdict
    return verdict.error


class TestTokens:
    def test_a_question_that_could_take_more_than_is_left_is_not_asked(
        self, engine: Engine, provider: Provider
    ) -> None:
        budget = {"maxTokens": MAX_COST + ANSWER}
        run = begin(ask("one"), ask("two", 1), ask("three", 2), budget=budget)
        assert isinstance(engine.run(task(run, "one")), Proceed)
        assert isinstance(engine.run(task(run, "two")), Proceed)
        assert error(engine, run, "three") == (
            f"three: The answer could take {MAX_COST} tokens, and of the run's budget of "
            f"{MAX_COST + ANSWER} (budget.maxTokens) {MAX_COST - ANSWER} are left."
        )
        assert len(provider.seen) == 2
        assert reload(run).model_tokens == 2 * ANSWER
        failed = row(run, "three")
        assert failed is not None
        assert (failed.output or {})["error"]["kind"] == "budget"

    def test_the_items_of_a_loop_share_it(self, engine: Engine, provider: Provider) -> None:
        run = begin(loop(over=5), budget={"maxTokens": MAX_COST + 2 * ANSWER})
        assert "item 3, step 'ask'" in error(engine, run, "loop")
        assert len(provider.seen) == 3

    def test_items_at_once_do_not_overdraw_it(self, engine: Engine, provider: Provider) -> None:
        provider.let_go.clear()  # so that nothing is settled before everybody has asked
        everybody = loop(over=8, concurrency=8, onItemError="continue")
        run = begin(everybody, budget={"maxTokens": 2 * MAX_COST + 5})
        with ThreadPoolExecutor(1) as pool, statements() as made:
            running = pool.submit(engine.run, task(run, "loop"))
            try:
                until("all to ask", lambda: sum("model_cost + " in one for one in made) == 8)
            finally:
                provider.let_go.set()
            assert isinstance(running.result(), Proceed)
        done = row(run, "loop")
        assert done is not None
        assert len((done.output or {})["errors"]) == 6
        assert len(provider.seen) == 2
        assert reload(run).model_tokens == 2 * ANSWER


class TestCost:
    PRICE = Decimal("0.00000015") * 12 + Decimal("0.0000006") * 5

    def test_dollars_are_counted_too(self, engine: Engine, provider: Provider) -> None:
        run = begin(ask("one"), ask("two", 1), budget={"maxCost": 0.000211})
        assert isinstance(engine.run(task(run, "one")), Proceed)
        assert "budget.maxCost" in error(engine, run, "two")
        assert len(provider.seen) == 1
        assert reload(run).model_cost == self.PRICE

    def test_a_model_without_a_known_price_costs_nothing(
        self, engine: Engine, provider: Provider
    ) -> None:
        run = begin(ask(config={"model": "our-own"}), budget={"maxCost": 0.000001})
        assert isinstance(engine.run(task(run, "ask")), Proceed)


class TestFailures:
    def test_what_was_refused_costs_nothing(self, engine: Engine, provider: Provider) -> None:
        provider.status = 429
        run = begin(ask(retry={"maxAttempts": 3}), budget={"maxTokens": MAX_COST})
        assert isinstance(engine.run(task(run, "ask")), Retry)
        assert reload(run).model_tokens == 0
        provider.status = 200
        let_pass(run, "ask")
        assert isinstance(engine.run(task(run, "ask")), Proceed)

    def test_an_answer_that_does_not_fit_is_paid_for(
        self, engine: Engine, provider: Provider
    ) -> None:
        provider.gives("[")
        schema = {"schema": {"type": "object"}}
        run = begin(ask(config=schema), budget={"maxTokens": 5_000})
        assert "not the JSON" in error(engine, run, "ask")
        assert reload(run).model_tokens == ANSWER

    def test_of_an_answer_that_cannot_be_read_the_most_is_assumed(
        self, engine: Engine, provider: Provider
    ) -> None:
        provider.answers(b"{")
        run = begin(ask(), budget={"maxTokens": 5_000})
        error(engine, run, "ask")
        assert reload(run).model_tokens == MAX_COST

    def test_a_question_that_was_cut_short_by_a_crash_stays_paid_for(
        self, engine: Engine, provider: Provider
    ) -> None:
        run = begin(ask(), budget={"maxTokens": MAX_COST + 5})
        RunSpending().reserve(
            run.id, TokenUsage(MAX_COST, None)
        )  # as a process did that was killed then
        assert "(budget.maxTokens) 5 are left" in error(engine, run, "ask")
        assert provider.seen == []


@pytest.mark.parametrize(
    ("budget", "config", "field", "message"),
    [
        ({}, {"maxTokens": 5}, "budget", "maxCost or maxTokens"),
        ({"maxCost": -1}, {"maxTokens": 5}, "budget.maxCost", "greater"),
        ({"maxTokens": 1.5}, {"maxTokens": 5}, "budget.maxTokens", "whole number"),
        ({"maxTokens": 5}, {}, "steps.0.config.steps.0.config.maxTokens", "budget"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused(
    budget: dict[str, Any], config: dict[str, Any], field: str, message: str
) -> None:
    asking = {"name": "Ask", "type": "ai", "order": 0, "config": {"prompt": "Hi", **config}}
    body = {
        "name": "x",
        "budget": budget,
        "steps": [
            {
                "name": "Loop",
                "type": "loop",
                "order": 0,
                "config": {"collection": [1], "steps": [asking]},
            }
        ],
    }
    _, errors = parse(body)
    assert list(errors) == [field]
    assert message in errors[field][0]
