"""A browser in Airflow's UI, signed in as one of its users."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from tests.console.screenshots import signed_in
from tests.e2e.conftest import Stack

USERS = ("admin", "ulla", "vera")
"""An administrator, a user and a viewer: see ``conftest.AIRFLOWS_USERS``."""
AIRFLOWS_COOKIE = "_token"
LOOK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "locale": "en-GB"}


def token_of(stack: Stack, user: str) -> str:
    passwords = json.loads((stack.home / "airflow" / "passwords.json").read_text())
    given = {"username": user, "password": passwords[user]}
    answer = requests.post(f"{stack.airflow}/auth/token", json=given, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


@contextmanager
def page_of(chromium: Browser, stack: Stack, user: str, **look: Any) -> Iterator[Page]:
    """A page of a browser of a user's own."""
    token = token_of(stack, user)
    page = signed_in(chromium, stack.airflow, token, AIRFLOWS_COOKIE, **{**LOOK, **look})
    page.set_default_timeout(120_000)
    try:
        yield page
    finally:
        page.context.close()
