"""Forms, and what people filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from automations_client.errors import json_of
from automations_client.pages import Page, from_link_header, through
from automations_client.shapes import Form, Snapshot, Submission, SubmissionStatus
from automations_client.transport import Content, Transport, address


class Forms:
    """``/api/forms``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def all(self) -> list[Form]:
        return cast(list[Form], self._transport.json("GET", address("forms")))

    def get(self, form_id: str, version: int | None = None) -> Form:
        """A form, as it is now or was in one of its versions."""
        query = {"version": version}
        return cast(Form, self._transport.json("GET", address("forms", form_id), query=query))

    def create(self, form: Mapping[str, Any]) -> Form:
        return cast(Form, self._transport.json("POST", address("forms"), form))

    def update(self, form_id: str, change: Mapping[str, Any]) -> Form:
        """Change a form; submissions keep the version that they were made with."""
        return cast(Form, self._transport.json("PATCH", address("forms", form_id), change))

    def delete(self, form_id: str, *, force: bool = False) -> None:
        """Delete a form; its submissions stay.

        Args:
            force: also one that ACTIVE automations use, which is a Conflict otherwise.
        """
        query = {"force": "true"} if force else None
        self._transport.json("DELETE", address("forms", form_id), query=query)


class Submissions:
    """``/api/submissions``."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def page(
        self,
        form_id: str | None = None,
        status: SubmissionStatus | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Page[Submission]:
        """A page of the submissions, newest first."""
        query = {"formId": form_id, "status": status, "limit": limit, "cursor": cursor}
        return from_link_header(
            self._transport.send("GET", address("submissions"), Content(query=query))
        )

    def iterate(
        self,
        form_id: str | None = None,
        status: SubmissionStatus | None = None,
        page_size: int = 100,
    ) -> Iterator[Submission]:
        """All submissions, newest first."""
        return through(lambda cursor: self.page(form_id, status, page_size, cursor))

    def get(self, submission_id: str) -> Submission:
        path = address("submissions", submission_id)
        return cast(Submission, self._transport.json("GET", path))

    def create(
        self, form_id: str, data: Mapping[str, Any], *, idempotency_key: str | None = None
    ) -> Submission:
        """Submit a form; the automations that listen start in the background.

        Args:
            idempotency_key: the same key and data are one submission, however often they are sent.
        """
        body = {"formId": form_id, "data": data}
        path = address("submissions")
        answer = self._transport.send("POST", path, Content(body=body, key=idempotency_key))
        return cast(Submission, json_of(answer))

    def change(self, submission_id: str, data: Mapping[str, Any]) -> Submission:
        """Replace the data of a pending submission; what it held is kept as a snapshot."""
        path = address("submissions", submission_id)
        return cast(Submission, self._transport.json("PATCH", path, {"data": data}))

    def snapshots(self, submission_id: str) -> list[Snapshot]:
        """What a submission held before each of its changes, the oldest first."""
        path = address("submissions", submission_id, "snapshots")

        def page(cursor: str | None) -> Page[Snapshot]:
            return from_link_header(
                self._transport.send("GET", path, Content(query={"cursor": cursor}))
            )

        return list(through(page))

    def approve(self, submission_id: str) -> Submission:
        path = address("submissions", submission_id, "approve")
        return cast(Submission, self._transport.json("POST", path))

    def reject(self, submission_id: str) -> Submission:
        path = address("submissions", submission_id, "reject")
        return cast(Submission, self._transport.json("POST", path))
