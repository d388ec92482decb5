"""A question as Airflow's Required Actions show it, and whose an answer is there."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.hitl import HITLDetail
from airflow.sdk.definitions.param import Param, ParamsDict
from sqlalchemy import event

from automations.execution.verdicts import AskPeople
from automations.services.waits.answers import ANSWERED_BY, REASON
from automations.services.waits.questions import QuestionState
from automations.settings import get_settings
from automations.steps.outcomes import Question
from automations_airflow.executors import fork_server
from automations_airflow.ui import answered_by
from automations_airflow.ui.params import NOTHING
from automations_airflow.waits.questions import body_of, params_of, request_of

PAGE = "/automations/console/open?dag=d&run=r&page=approval"
LINK = f"[Its page in the console]({PAGE})"
UNTIL = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def asking(**question: Any) -> AskPeople:
    about = {"subject": "Approval needed", "body": "OK?", **question}
    return AskPeople("w", Question(**about), ("Approve", "Reject"), UNTIL)


def form(*fields: dict[str, Any], **section: Any) -> dict[str, Any]:
    return {"sections": [{"id": "s", "fields": list(fields), **section}]}


def test_data_cannot_leave_its_fence() -> None:
    body = body_of(asking(data=[1, "```\n# big"]), QuestionState(), PAGE)
    assert body.startswith("OK?\n\n````json\n")
    assert "\n````\n\nUntil 2026-03-01 09:30 UTC" in body


def test_data_is_shown_as_tables() -> None:
    data = {
        "company": "ACME | Sons",
        "amount": 25000,
        "exposed": False,
        "tags": ["new", "large"],
        "directors": [{"name": "Ada"}, {"name": "Grace", "since": "2021"}],
    }
    body = body_of(asking(data=data), QuestionState(), PAGE)
    assert body.split("\n\n")[1:4] == [
        "|  |  |\n| --- | --- |\n| **company** | ACME \\| Sons |\n| **amount** | 25000 |\n"
        "| **exposed** | No |\n| **tags** | new, large |",
        "**directors**",
        "| name | since |\n| --- | --- |\n| Ada |  |\n| Grace | 2021 |",
    ]


def test_it_says_who_is_asked_until_when_and_how_far_it_is() -> None:
    state = QuestionState(asked=("ada@b.example", "bob@b.example"), approvals=1)
    body = body_of(asking(quorum=2), state, PAGE)
    assert body.endswith(
        "Asked: ada@b.example, bob@b.example · 1 of 2 approvals · Until 2026-03-01 09:30 UTC · "
        + LINK
    )
    assert "approvals" not in body_of(asking(), QuestionState(), PAGE)


def test_a_refused_answer_is_above_all_and_writes_no_markdown() -> None:
    refused = "ben: data.amount must be\n# 100 [at](http://x) most"
    body = body_of(asking(), QuestionState(refused=refused), PAGE)
    first, second = body.split("\n\n")[:2]
    assert first == (
        "> **An answer was not taken.** ben: data.amount must be \\# 100 \\[at\\](http://x) most"
    )
    assert second == "OK?"


def test_only_users_of_airflow_are_assigned_and_the_bridge_may_answer_for_others() -> None:
    assert request_of(asking(), QuestionState(), PAGE)["assigned_users"] == []
    assigned = request_of(asking(), QuestionState(entitled=("ada", "admin")), PAGE)[
        "assigned_users"
    ]
    bridge = get_settings().airflow_username
    assert [user["id"] for user in assigned] == ["ada", "admin", bridge]


def test_it_takes_a_reason_also_without_a_form() -> None:
    assert list(params_of(Question("s", "b"))) == [REASON]


def test_fields_of_several_sections_say_of_which_they_are() -> None:
    sections = [
        {"id": title, "title": title, "fields": [{"key": key, "type": "text", "label": "Name"}]}
        for key, title in (("a", "Buyer"), ("b", "Seller"), ("c", ""))
    ]
    params = params_of(Question("s", "b", form={"sections": sections}))
    titles = [param["schema"]["title"] for param in params.values()]
    assert titles == ["Buyer: Name", "Seller: Name", "Name", "Reason"]


def test_its_form_has_labels_limits_and_help() -> None:
    fields = (
        {
            "key": "why",
            "type": "textarea",
            "label": "Why?",
            "helpText": "In a sentence.",
            "validation": {"required": True, "maxLength": 200},
        },
        {"key": "size", "type": "select", "options": [{"value": "s", "label": "Small"}]},
        {"key": "amount", "type": "currency", "validation": {"min": 1, "max": 100}},
        {"key": "tags", "type": "multiselect", "options": [{"value": "x", "label": "Ex"}]},
        {"key": "line", "type": "divider"},
    )
    params = params_of(Question("s", "b", form=form(*fields, title="Details")))
    assert list(params) == ["why", "size", "amount", "tags", REASON]
    # Above each section Airflow would show the whole question once more.
    assert "section" not in str(params)
    why, size, amount, tags = (params[key]["schema"] for key in ("why", "size", "amount", "tags"))
    assert (why["title"], why["format"]) == ("Why?", "multiline")
    assert why["allOf"] == [{"maxLength": 200}]
    assert params["why"]["description"] == (
        "Needed to approve. In a sentence. At most 200 characters."
    )
    assert (size["enum"], size["values_display"]) == (["s", None], {"s": "Small", **NOTHING})
    assert (amount["allOf"], "maximum" in amount) == ([{"minimum": 1, "maximum": 100}], False)
    assert (tags["examples"], tags["values_display"]) == (["x"], {"x": "Ex"})


def test_airflow_wants_no_field_of_whoever_rejects() -> None:
    kinds = ("text", "number", "select", "yesno", "date", "multiselect", "email")
    fields = [
        {
            "key": kind,
            "type": kind,
            "validation": {"required": True},
            "options": [{"value": "x", "label": "X"}] if "select" in kind else [],
        }
        for kind in kinds
    ]
    params = params_of(Question("s", "b", form=form(*fields)))
    given = {key: Param(one["value"], schema=one["schema"]) for key, one in params.items()}
    # As Airflow itself checks what a form sends.
    assert ParamsDict(given).validate() == dict.fromkeys([*kinds, REASON])


@pytest.mark.parametrize(("least", "said"), [(1, True), (0, False)])
def test_what_airflow_cannot_show_is_said_and_where_it_can_be_filled_in(
    least: int, said: bool
) -> None:
    items = {"title": "Invoices", "repeatable": True, "repeatableConfig": {"minItems": least}}
    asked = asking(form=form({"key": "item", "type": "text"}, **items))
    assert list(params_of(asked.question)) == [REASON]
    body = body_of(asked, QuestionState(), PAGE)
    assert "“Invoices” cannot be filled in here" in body
    assert f"[the form's own page]({PAGE})" in body
    assert ("so cannot be given here" in body) is said


@pytest.mark.parametrize("kind", ["file", "document", "signature", "table_fill"])
@pytest.mark.parametrize("required", [True, False])
def test_a_field_that_takes_no_text_is_not_shown_as_one(kind: str, required: bool) -> None:
    passport = {"key": "pass", "type": kind, "label": "Passport"}
    asked = asking(form=form({**passport, "validation": {"required": required}}))
    assert list(params_of(asked.question)) == [REASON]
    body = body_of(asked, QuestionState(), PAGE)
    assert "“Passport” cannot be filled in here" in body
    assert ("so cannot be given here" in body) is required


def test_what_an_input_of_airflows_does_not_show_is_said() -> None:
    fields = ({"key": "ok", "type": "yesno"}, {"key": "at", "type": "time"})
    params = params_of(Question("s", "b", form=form(*fields)))
    assert params["ok"]["description"] == "No answer until it is switched."
    assert params["at"]["description"] == "Such as 09:30."


def answered(by: str, **given: Any) -> Any:
    # As FAB has it: of the simple auth manager's users both are the name.
    return SimpleNamespace(responded_by={"id": "3", "name": by}, params_input=given)


def test_what_the_bridge_passes_on_is_shown_as_whose_it_is() -> None:
    bridge = get_settings().airflow_username
    answer = answered(bridge, note="fine", **{ANSWERED_BY: "ada@b.example"})
    answered_by.name(None, None, answer)
    assert answer.responded_by == {"id": "ada@b.example", "name": "ada@b.example"}
    assert answer.params_input == {"note": "fine"}


def test_nobody_else_answers_under_the_name_of_another() -> None:
    answer = answered("ben", **{ANSWERED_BY: "ada@b.example"})
    answered_by.name(None, None, answer)
    assert answer.responded_by == {"id": "3", "name": "ben"}


def test_an_api_server_that_is_forked_shows_so_whose_an_answer_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["fork_server", "server"])
    answered_by.watch()  # as the plugin does, which is imported there
    assert not event.contains(HITLDetail, "before_update", answered_by.name)
    try:
        fork_server.set_identity("airflow", ["api-server"])
        assert event.contains(HITLDetail, "before_update", answered_by.name)
    finally:
        event.remove(HITLDetail, "before_update", answered_by.name)
