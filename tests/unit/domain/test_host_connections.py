"""What an Airflow connection says is done as it says, or refused."""

from __future__ import annotations

from typing import Any

import pytest

from automations.adapters.language_model.accounts import from_connection
from automations.adapters.slack_connections import webhook_of
from automations.domain.http_connections import base_of
from automations.errors import StepError
from automations.ports import HostConnection


def connection(**more: Any) -> HostConnection:
    return HostConnection(**{"id": "crm", "kind": "http", "host": "crm.example", **more})


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "http://crm.example"),
        ({"kind": "https", "port": 8443}, "https://crm.example:8443"),
        ({"host": "crm.example/api", "port": 8080}, "http://crm.example:8080/api"),
        ({"host": "https://crm.example/api"}, "https://crm.example/api"),
        ({"host": "https://crm.example/api", "port": 443}, "https://crm.example/api"),
        ({"host": "http://crm.example:8080", "port": 8080}, "http://crm.example:8080"),
        ({"extra": {"verify": "true", "verify_ssl": ""}}, "http://crm.example"),
    ],
)
def test_requests_go_to_its_address(more: dict[str, Any], url: str) -> None:
    assert base_of(connection(**more)).url == url


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"host": "https://crm.example/api", "port": 8443}, "has the port 8443 beside an address"),
        ({"host": "https://[::1", "port": 443}, "has the port 443 beside an address"),
        ({"login": "ada:x", "password": "hunter22"}, "has a colon in its login"),
        ({"login": "ada", "extra": {"Authorization": "Bearer a"}}, "Authorization of its extra"),
        ({"extra": {"X-Team": "a", "x-team": "b"}}, "x-team of its extra is a header that is"),
        ({"extra": {"verify": "False"}}, "has verify in its extra"),
        ({"extra": {"verify": "/etc/own.pem"}}, "has verify in its extra"),
        ({"extra": {"verify_ssl": 0}}, "has verify_ssl in its extra"),
    ],
)
def test_what_would_be_passed_over_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(StepError) as refused:
        base_of(connection(**more))
    assert refused.value.message.startswith("Connection crm")
    assert said in refused.value.message


def test_a_webhook_of_slacks_is_called_at_its_port() -> None:
    there = {"kind": "slackwebhook", "password": "T0/B0/x"}
    at_home = webhook_of(connection(**there, host="chat.example", port=8443))
    assert at_home == "https://chat.example:8443/T0/B0/x"
    assert webhook_of(connection(**there, host=None)) == "https://hooks.slack.com/services/T0/B0/x"


def test_a_model_is_asked_at_the_port_that_is_meant() -> None:
    there = {"kind": "openai", "host": "https://models.example/v1", "password": "sk-1"}
    assert from_connection(connection(**there), None).base_url == there["host"]
    with pytest.raises(StepError, match="has the port 8443 beside an address"):
        from_connection(connection(**there, port=8443), None)
