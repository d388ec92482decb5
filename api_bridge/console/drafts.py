"""Forms with buttons that change the form itself, such as "add a column", besides saving it.

Nothing is kept between two clicks but what the form holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console.form_data import text
from automations.errors import Conflict, ValidationFailed
from automations.kit.values import Errors

D = TypeVar("D")
D_contra = TypeVar("D_contra", contravariant=True)


class Show(Protocol[D_contra]):
    """Shows the form with what was typed, and what is wrong with it."""

    def __call__(self, draft: D_contra, problems: Errors | None = None) -> Response: ...


def respond(
    form: FormData,
    draft: D,
    show: Show[D],
    *,
    done: Callable[[D, str], D],
    save: Callable[[D], Response],
) -> Response:
    """What a button of the form leads to.

    Args:
        draft: what was typed.
        done: what another button than the one that saves makes of it.
        save: saves it, and leads on.
    """
    try:
        if (what := text(form, "do", "save")) != "save":
            return show(done(draft, what))
        return save(draft)
    except ValidationFailed as error:
        return show(draft, error.field_errors)
    except Conflict as error:
        return show(draft, {"": [error.message]})
