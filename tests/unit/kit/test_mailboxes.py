"""Senders as people write them."""

from __future__ import annotations

import pytest

from automations.kit.mailboxes import parse


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("flows@example.com", "", "flows@example.com"),
        ("<flows@example.com>", "", "flows@example.com"),
        ("Flows <flows@example.com>", "Flows", "flows@example.com"),
        ("The Office & Co. <o'neil+x@h.example>", "The Office & Co.", "o'neil+x@h.example"),
        ('"Ada, \\"Eve\\"" <a@localhost>', 'Ada, "Eve"', "a@localhost"),
        ("Zażółć <żółw@bücher.example>", "Zażółć", "żółw@bücher.example"),
    ],
)
def test_a_sender_is_a_name_and_an_address(written: str, name: str, address: str) -> None:
    assert parse(written) == (name, address)


@pytest.mark.parametrize(
    "written",
    [
        *("", "nobody", "a@b.example, c@d.example", "a@b.example,", "Flows flows@example.com"),
        *("Ada <a@b.example> x", "Ada <a@b.example> <c@d.example>", "Ada <a@b.example", "<a@b>>"),
        *("a@b.example>", "x: a@b.example;", "Ada, Eve <a@b.example>", "a@b@c.example"),
        *("a@b..example", ".a@b.example", "a@-b.example", "a@b.example.", "a b@c.example"),
        *("Ada\n<a@b.example>", "=?utf-8?Q?a?= <a@b.example>", '"a b"@c.example', " a@b.example"),
        "Ada <a@b.example >",
    ],
)
def test_whatever_else_is_written_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="must be an e-mail address such as"):
        parse(written)
