"""Forms and submissions, as the API answers with them."""

from __future__ import annotations

from typing import Literal, TypeAlias

# The description of the API is made from these, by pydantic: it reads typing's own TypedDict only
# from Python 3.12 on.
from typing_extensions import TypedDict

from automations_client.shapes.json_values import Json

SubmissionStatus: TypeAlias = Literal["PENDING", "APPROVED", "REJECTED"]


class Form(TypedDict):
    """A form's newest version."""

    id: str
    title: str
    description: str
    schema: Json
    version: int
    public: bool
    createdAt: str
    updatedAt: str


class Submission(TypedDict):
    """A filled-in form, and what was decided on it."""

    id: str
    formId: str
    formVersion: int
    status: SubmissionStatus
    data: Json
    decidedBy: str | None
    decidedAt: str | None
    createdAt: str


class Snapshot(TypedDict):
    """What a submission held before a change."""

    id: str
    submissionId: str
    number: int
    formVersion: int
    data: Json
    changedBy: str
    createdAt: str
