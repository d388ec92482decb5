"""The notification step: what it hands to the notifier, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from automations.domain.fields import RENDERED
from automations.errors import StepError
from automations.ports import Notice, NoticeReceipt
from automations.steps.notification import MAX_USERS, Notification, NotificationConfig
from automations.steps.outcomes import Done, Outcome
from tests.doubles import context

CONFIG: dict[str, Any] = {"title": "New vendor", "message": "Have a look."}


class Board:
    """A notifier that keeps what it is given, or fails."""

    def __init__(self, failure: StepError | None = None) -> None:
        self.failure = failure
        self.notices: list[Notice] = []

    def notify(self, notice: Notice) -> NoticeReceipt:
        if self.failure:
            raise self.failure
        self.notices.append(notice)
        users = notice.user_ids or ("owner",)
        return NoticeReceipt(tuple(f"n-{user}" for user in users), users)


def run(config: dict[str, Any]) -> tuple[Outcome, Notice]:
    board = Board()
    parsed = NotificationConfig.model_validate(config, context=RENDERED)
    outcome = Notification().run(parsed, context(notifier=board))
    return outcome, board.notices[0]


def test_everything_in_the_config_reaches_the_notifier() -> None:
    outcome, notice = run({**CONFIG, "userIds": ["a", "b"], "link": "/matters/1"})
    assert notice == Notice(
        workspace_id="workspace1",
        workflow_id="workflow1",
        key="run1:node1:0",
        user_ids=("a", "b"),
        title="New vendor",
        message="Have a look.",
        link="/matters/1",
    )
    assert outcome == Done({"notificationIds": ["n-a", "n-b"], "userIds": ["a", "b"]})


def test_without_users_the_owner_is_told() -> None:
    outcome, notice = run(CONFIG)
    assert notice.user_ids is None
    assert outcome == Done({"notificationIds": ["n-owner"], "userIds": ["owner"]})


@pytest.mark.parametrize("users", ["a, b", "a,b,", ["a", "b"], [["a", "b"]], ["a, b"]])
def test_users_may_be_a_text_a_list_or_what_a_template_gave(users: Any) -> None:
    _, notice = run({**CONFIG, "userIds": users})
    assert notice.user_ids == ("a", "b")


def test_what_the_notifier_refuses_is_not_swallowed() -> None:
    config = NotificationConfig.model_validate(CONFIG, context=RENDERED)
    with pytest.raises(StepError, match="nobody"):
        Notification().run(config, context(notifier=Board(StepError("nobody", kind="config"))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, "valid string"),
        ({"title": "  "}, "must not be empty"),
        ({"title": "x" * 501}, "at most 500"),
        ({"message": "x" * 10_001}, "at most 10000"),
        ({"message": {}}, "valid string"),
        ({"userIds": []}, "at least 1 item"),
        ({"userIds": " , "}, "at least 1 item"),
        ({"userIds": [None]}, "valid string"),
        ({"userIds": {"id": 1}}, "valid list"),
        ({"userIds": ["u"] * (MAX_USERS + 1)}, "at most 100"),
        ({"link": "javascript:alert(1)"}, "http or https address"),
        ({"link": "//evil.example/x"}, "http or https address"),
        ({"link": "/\\evil.example"}, "http or https address"),
        ({"link": "https://a.example/\nx"}, "http or https address"),
        ({"link": "data:text/html,x"}, "http or https address"),
        ({"link": ""}, "http or https address"),
        ({"urgency": 1}, "Extra inputs"),
    ],
)
def test_a_config_that_cannot_be_shown_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NotificationConfig.model_validate({**CONFIG, **change}, context=RENDERED)


@pytest.mark.parametrize("link", ["https://a.example/x?y=1#z", "HTTP://a.example", "/", "/runs/1"])
def test_addresses_and_paths_are_links(link: str) -> None:
    assert run({**CONFIG, "link": link})[1].link == link


def test_templates_are_accepted_when_saved_and_checked_when_rendered() -> None:
    config = {**CONFIG, "userIds": "{{input.users}}", "link": "{{input.link}}"}
    saved = NotificationConfig.model_validate(config)
    assert saved.user_ids == ["{{input.users}}"]
    with pytest.raises(ValidationError, match="http or https address"):
        NotificationConfig.model_validate(config, context=RENDERED)
