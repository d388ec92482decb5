"""Reads what a page's form has sent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import FormData

from api_bridge.console import csrf
from api_bridge.public_pages import pages
from api_bridge.public_pages.form_inputs import SentFile
from automations.errors import ValidationFailed
from automations.kit.values import JSON

_TWICE = "is there more than once: send it once"
_NO_FILE = SentFile("", b"")
"""What a browser sends where none was chosen."""
_MAX_NAMED = 100


class SentForm(FormData):
    """The inputs of a form, and the names of those that are there twice and say two things."""

    def __init__(self, items: list[tuple[str, Any]]) -> None:
        super().__init__(items)
        texts: dict[str, str] = {}
        self.twice = {
            name
            for name, value in items
            if isinstance(value, str) and texts.setdefault(name, value) != value
        }


async def _read_form(request: Request) -> FormData:
    body = await pages.read_body(request)
    sent: FormData | None = body.get("form")
    form = SentForm(sent.multi_items()) if sent else _of_json(body.get("json", {}))
    csrf.check(request, text(form, csrf.FIELD))
    return form


def _of_json(sent: JSON) -> SentForm:
    """A program's form: a text for each input."""
    if not isinstance(sent, dict):
        raise ValidationFailed({"body": ["must be an object with a text for each input"]})
    not_texts = [name for name, value in sent.items() if not isinstance(value, str)]
    if not_texts:
        raise ValidationFailed({name: ["must be a text"] for name in not_texts[:_MAX_NAMED]})
    return SentForm(list(sent.items()))


Posted = Annotated[FormData, Depends(_read_form)]
"""A form's inputs, sent by a page of ours."""


def text(form: FormData, name: str, default: str = "") -> str:
    """The text of one input; the default when it is absent.

    Raises:
        ValidationFailed: it is there twice, and says two things.
    """
    # Not by all of a name, for which a form looks through all that it has.
    if isinstance(form, SentForm) and name in form.twice:
        raise ValidationFailed({name: [_TWICE]})
    value = form.get(name)
    return value if isinstance(value, str) else default


def number(form: FormData, name: str) -> int:
    """The whole number of one input; 0 when it is absent.

    Raises:
        ValidationFailed: it is none.
    """
    written = text(form, name, "0")
    if not (written.isascii() and written.isdecimal()) or len(written) > 9:
        raise ValidationFailed({name: ["must be a number"]})
    return int(written)


def place_named(written: str) -> int:
    """The place in a list that a button names; -1 when it is none."""
    is_place = written.isascii() and written.isdigit() and len(written) < 4
    return int(written) if is_place else -1


def texts(form: FormData, name: str) -> list[str]:
    """The texts of all inputs of a name."""
    return [value for value in form.getlist(name) if isinstance(value, str)]


def chosen_file(form: FormData, name: str) -> SentFile | None:
    """The file that was chosen in an input; None when none was.

    Raises:
        ValidationFailed: there is more than one, or what was sent is no file.
    """
    values: list[Any] = form.getlist(name)
    sent = [value for value in values if value and value != _NO_FILE]
    if not sent:
        return None
    if len(sent) > 1:
        raise ValidationFailed({name: [_TWICE]})
    if not isinstance(sent[0], SentFile):
        raise ValidationFailed({name: ["must be a file, sent as multipart/form-data"]})
    return sent[0]


def is_ticked(form: FormData, name: str) -> bool:
    """Whether a box was ticked, which is not sent when it was not.

    Raises:
        ValidationFailed: it says something else.
    """
    return name in form and yes_or_no(form, name)


def yes_or_no(form: FormData, name: str) -> bool:
    """What a button says of something that is on or off.

    Raises:
        ValidationFailed: neither.
    """
    answer = text(form, name)
    if answer not in ("yes", "no"):
        raise ValidationFailed({name: ["must be yes or no"]})
    return answer == "yes"


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
