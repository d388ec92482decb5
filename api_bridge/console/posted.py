"""What a page's form has sent."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData

from api_bridge import pages
from api_bridge.console import csrf
from automations.errors import ValidationFailed


async def _posted(request: Request) -> FormData:
    given = await pages.sent(request)
    form: FormData | None = given.get("form")
    if form is None:
        # A program's: the texts of its JSON object.
        said = given.get("json")
        texts = said.items() if isinstance(said, dict) else ()
        form = FormData([(name, value) for name, value in texts if isinstance(value, str)])
    csrf.check(request, form.get(csrf.FIELD))
    return form


Posted = Annotated[FormData, Depends(_posted)]
"""A form's inputs, sent by a page of ours."""


def text(form: FormData, name: str, default: str = "") -> str:
    """The text of one input; the default when it is absent."""
    found = form.get(name)
    return found if isinstance(found, str) else default


def number(form: FormData, name: str) -> int:
    """The whole number of one input; 0 when it is absent.

    Raises:
        ValidationFailed: it is none.
    """
    written = text(form, name, "0")
    if not written.isdecimal() or len(written) > 9:
        raise ValidationFailed({name: ["must be a number"]})
    return int(written)


def place_named(written: str) -> int:
    """The place in a list that a button names; -1 when it is none."""
    is_place = written.isascii() and written.isdigit() and len(written) < 4
    return int(written) if is_place else -1


def texts(form: FormData, name: str) -> list[str]:
    """The texts of all inputs of a name."""
    return [one for one in form.getlist(name) if isinstance(one, str)]


def check_sure(form: FormData) -> None:
    """Check that the box was ticked without which nothing is deleted.

    Raises:
        ValidationFailed: it was not.
    """
    if text(form, "sure") != "yes":
        raise ValidationFailed({"sure": ["must be yes"]})


def check_sure_though_used(form: FormData) -> bool:
    """The same, where automations may use what is deleted: whether it goes although they do.

    Raises:
        ValidationFailed: neither of the boxes was ticked.
    """
    if text(form, "sure") == "used":
        return True
    check_sure(form)
    return False
