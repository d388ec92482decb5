"""The loop step: what it goes through, and what is refused when it is saved."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.definitions.checking import parse
from automations.domain.fields import RENDERED
from automations.steps.loop import Loop, LoopConfig
from automations.steps.outcomes import Done, Fail, Outcome
from tests.doubles import context

LIGHT = {"name": "Light", "type": "condition", "order": 0, "config": {"expression": "true"}}
ASK = {"name": "Ask", "type": "approval", "order": 1, "config": {"message": "OK?"}}


def configured(collection: Any, **more: Any) -> LoopConfig:
    given = {"collection": collection, "steps": [LIGHT], **more}
    return LoopConfig.model_validate(given, context=RENDERED)


class Body:
    """Stands for the doing of the body."""

    def __init__(self) -> None:
        self.items: list[list[Any]] = []

    def iterate(self, config: LoopConfig, items: list[Any]) -> Outcome:
        self.items.append(items)
        return Done({"count": len(items)})


@pytest.mark.parametrize(
    ("collection", "items"),
    [
        ([1, "a", {"b": 2}], [1, "a", {"b": 2}]),
        ({"a": 1, "b": [2]}, [{"key": "a", "value": 1}, {"key": "b", "value": [2]}]),
        ([], []),
    ],
)
def test_the_body_is_given_every_item(collection: Any, items: list[Any]) -> None:
    body = Body()
    outcome = Loop().run(configured(collection), context(iterate=body.iterate))
    assert outcome == Done({"count": len(items)})
    assert body.items == [items]


def test_items_that_the_database_refuses_are_refused_before_any_is_done() -> None:
    body = Body()
    outcome = Loop().run(configured(["a\0", {"b": 1}]), context(iterate=body.iterate))
    assert isinstance(outcome, Fail)
    assert (outcome.kind, body.items) == ("config", [])
    assert "holds a NUL character" in outcome.error


def test_more_items_than_allowed_are_refused_and_none_is_done() -> None:
    outcome = Loop().run(configured([1, 2, 3], maxItems=2), context())
    assert isinstance(outcome, Fail)
    assert outcome.kind == "config"
    assert "maxItems" in outcome.error


def test_a_step_that_is_no_loop_has_nothing_to_iterate() -> None:
    with pytest.raises(TypeError, match="no body"):
        Loop().run(configured([1]), context())


@pytest.mark.parametrize(
    "wrong",
    [
        {"collection": "no list"},
        {"collection": 7},
        {"steps": []},
        {"maxItems": 0},
        {"maxItems": 10_001},
        {"concurrency": 11},
        {"concurrency": "2"},
        {"onItemError": "ignore"},
    ],
)
def test_a_wrong_config_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LoopConfig.model_validate({"collection": [1], "steps": [LIGHT], **wrong}, context=RENDERED)


def test_a_loop_waits_when_a_step_somewhere_in_it_may_wait() -> None:
    nested = {**LIGHT, "config": {"expression": "true", "then": [ASK]}}
    assert not Loop().waits(configured([1]))
    assert Loop().waits(configured([1], steps=[nested]))
    assert Loop().waits(configured([1], steps=[{**LIGHT, "onError": [ASK]}]))
    assert not Loop().waits(configured([1], steps=[LIGHT, {**ASK, "disabled": True}]))


def wrong_fields(*body: dict[str, Any], after: str = "{{input.x}}", **config: Any) -> Any:
    """What is wrong with an automation of a loop with this body and a mail behind it."""
    looping = {"collection": "{{input.rows}}", "steps": list(body), **config}
    mail = {"to": "ada@b.example", "subject": "Hi", "body": after}
    _, errors = parse(
        {
            "name": "A",
            "steps": [
                {"name": "Loop", "type": "loop", "order": 0, "config": looping},
                {"name": "Mail", "type": "email", "order": 1, "config": mail},
            ],
        }
    )
    return errors


def mail(body: str, name: str = "Inside", order: int = 5) -> dict[str, Any]:
    config = {"to": "ada@b.example", "subject": "Hi", "body": body}
    return {"name": name, "type": "email", "order": order, "config": config}


def test_the_loops_names_are_known_in_its_body_only() -> None:
    assert wrong_fields(mail("{{loop.item}} {{loop.index}}")) == {}
    errors = wrong_fields(LIGHT, after="{{loop.item}}")
    assert list(errors) == ["steps.1.config.body"]
    assert "unknown name 'loop'" in errors["steps.1.config.body"][0]


def test_the_outer_loop_is_known_in_a_loop_in_a_loop_only() -> None:
    def nested(body: str) -> dict[str, Any]:
        config = {"collection": "{{loop.item}}", "steps": [mail(body)]}
        return {"name": "Inner", "type": "loop", "order": 0, "config": config}

    assert (
        wrong_fields(nested("{{loop.parent.item}} {{loop.parent.index}} {{loop.item.any}}")) == {}
    )
    assert wrong_fields(mail("{{loop.parent.item}}")) == {
        "steps.0.config.steps.0.config.body": ["loop.parent: there is no loop around that one"]
    }
    inner = "steps.0.config.steps.0.config.steps.0.config.body"
    assert wrong_fields(nested("{{loop.parent.parent.item}}")) == {
        inner: ["loop.parent: there is no loop around that one"]
    }
    wrong = "a loop has no 'itm', but item, index, first, last, parent"
    assert wrong_fields(nested("{{loop.parent.itm}}")) == {inner: [wrong]}


def test_the_bodys_steps_are_known_in_it_and_not_behind_it() -> None:
    assert wrong_fields(LIGHT, mail("{{steps.Light.result}}")) == {}
    assert wrong_fields(LIGHT, after="{{steps.Light.result}}") == {
        "steps.1.config.body": ["there is no step 'Light' before this one"]
    }
    assert wrong_fields(LIGHT, after="{{steps.Loop.count}}") == {}


def test_what_a_loop_puts_out_is_not_known_in_its_own_body() -> None:
    assert wrong_fields(mail("{{steps.Loop.count}}")) == {
        "steps.0.config.steps.0.config.body": ["there is no step 'Loop' before this one"]
    }


def test_orders_and_ids_are_checked_in_the_body_too() -> None:
    twice = wrong_fields({**LIGHT, "id": "a"}, {**LIGHT, "id": "a", "name": "Other"})
    assert "steps.0.config.steps.1.order" in twice
    assert "steps.0.config.steps.1.id" in twice


def test_a_loop_with_a_step_that_waits_does_one_item_at_a_time() -> None:
    assert wrong_fields(LIGHT, ASK) == {}
    nested = {
        "name": "Inner",
        "type": "loop",
        "order": 0,
        "config": {"collection": [1], "steps": [ASK]},
    }
    for body in ((LIGHT, ASK), (nested,)):
        errors = wrong_fields(*body, concurrency=2)
        assert list(errors) == ["steps.0.config.concurrency"]
        assert "step 'Ask' in the loop waits" in errors["steps.0.config.concurrency"][-1]
