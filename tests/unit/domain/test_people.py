"""Who somebody is by their address."""

from __future__ import annotations

import pytest

from automations.domain.people import mailbox


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q@b.example", "Q@B.EXAMPLE"),
        ("q@b.example", "Q <q@b.example>"),
        ("q@münchen.de", "q@xn--mnchen-3ya.de"),
        ("q@MÜNCHEN.example", "Q@XN--MNCHEN-3YA.example"),
        ("q@mu\u0308nchen.de", "q@münchen.de"),
        ("Łódź@b.example", "łódź@b.example"),
    ],
)
def test_one_mailbox_is_known_however_it_is_written(one: str, other: str) -> None:
    assert mailbox(one) == mailbox(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("q@straße.de", "q@strasse.de"),
        ("weiß@b.example", "weiss@b.example"),
        ("q@b.example", "q@c.example"),
        ("nonsense@", "nonsense"),
    ],
)
def test_another_mailbox_is_told_apart(one: str, other: str) -> None:
    assert mailbox(one) != mailbox(other)
