"""Forms as the console lists them, with their numbers of submissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automations.db.forms import forms
from automations.db.session import reading
from automations.domain.statuses import SubmissionStatus
from automations.kit import cursors
from automations.kit.values import from_attributes
from automations.services.forms.forms import Form


@dataclass(frozen=True, slots=True)
class FormOverview:
    """A form, and how many submissions of each status it has."""

    form: Form
    counts: Mapping[SubmissionStatus, int]

    @property
    def submissions(self) -> int:
        """How often it was filled in."""
        return sum(self.counts.values())

    @property
    def pending(self) -> int:
        """How many submissions are not decided on yet."""
        return self.counts.get(SubmissionStatus.PENDING, 0)


def page_after(
    workspace_id: str, title: str, public: bool | None, cursor: str | None, size: int
) -> tuple[Sequence[FormOverview], str | None]:
    """The forms after a cursor, newest first, and the next cursor.

    Args:
        title: a part of it; empty for all.
    """
    after = cursors.decode(cursor) if cursor else None
    with reading() as session:
        listed = forms.overview(session, workspace_id, title, public, after, size + 1)
        page, following = cursors.page(listed, size, lambda form: (form.created_at, form.id))
        counts = forms.counts(session, [form.id for form in page])
        return [
            FormOverview(from_attributes(Form, form), counts.get(form.id, {})) for form in page
        ], following


def build(form: Form) -> FormOverview:
    """One form with how much was filled in."""
    with reading() as session:
        return FormOverview(form, forms.counts(session, [form.id]).get(form.id, {}))
