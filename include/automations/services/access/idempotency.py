"""Requests that are carried out once, however often they are sent.

The work of a request and its answer are one transaction: after a crash, either both are there or
neither is. That is impossible for a request that acts outside of the database. Such a request is
recorded before it is carried out; if it is sent again after a crash it is carried out again, with
its effects under the same keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from automations.db.access import idempotency
from automations.db.session import SharedTransaction, unit_of_work
from automations.db.tables import IdempotencyKey
from automations.errors import InProgress, RuleBroken, ValidationFailed
from automations.kit.ids import new_id
from automations.services.integrations import vault

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that its sender may send again.

    Args:
        sha256: of everything that distinguishes it from other requests.
        outside: whether it acts outside of the database, and so commits step by step.
        slow: whether it may take long, so that it must not hold a connection of the pool.
    """

    workspace_id: str
    key: str
    sha256: str
    outside: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer; headers and body are bytes, decoded as latin-1."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: str


class Claim:
    """The right to carry out a request, which is lost if the process dies.

    Every claim must be ended by ``finish``, ``refuse`` or ``abandon``.
    """

    def __init__(self, request: Request, id_: str, transaction: SharedTransaction) -> None:
        self.id = id_
        """The key of effects outside: the same if the request is lost and sent again."""
        self._request = request
        self._transaction = transaction

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Carry out the request in the block."""
        if self._request.outside:
            yield
            return
        with self._transaction.join():
            yield

    def finish(self, answer: Stored) -> None:
        """Commit what was done, with the answer for whoever sends the request again."""
        request = self._request
        text = json.dumps({"headers": list(answer.headers), "body": answer.body})
        sealed = vault.cipher().encrypt(text)
        with _closing(self._transaction), self._transaction.join():
            with unit_of_work() as session:
                idempotency.put(
                    session,
                    request.workspace_id,
                    request.key,
                    request_sha256=request.sha256,
                    claim=self.id,
                    status=answer.status,
                    answer=sealed,
                )
                idempotency.prune(session)
            self._transaction.commit()

    def refuse(self) -> None:
        """Commit what was logged of a refused request, and let its key be used again."""
        with _closing(self._transaction), self._transaction.join():
            with unit_of_work() as session:
                idempotency.forget(session, self._request.workspace_id, self._request.key)
            self._transaction.commit()

    def abandon(self) -> None:
        """Roll back a failed request, and let it be sent again."""
        self._transaction.close()


def begin(request: Request) -> Claim | Stored:
    """Claim a request, or return the stored answer if it was carried out before.

    Raises:
        ValidationFailed: the key is not valid.
        RuleBroken: another request had this key.
        InProgress: a request with this key is being carried out now.
    """
    if not _KEY.fullmatch(request.key):
        raise ValidationFailed({"Idempotency-Key": ["must be 1 to 255 visible ASCII characters"]})
    # First of all, since without an encryption key the answer could not be stored.
    vault.cipher()
    transaction = SharedTransaction(pooled=not (request.slow or request.outside))
    try:
        recorded = _lock(request, transaction)
        if recorded is not None and recorded.status is not None and recorded.answer is not None:
            if recorded.request_sha256 != request.sha256:
                raise RuleBroken("This Idempotency-Key was used for another request.")
            transaction.close()
            return _decode_stored(recorded.status, recorded.answer)
        same = recorded is not None and recorded.request_sha256 == request.sha256
        claim = Claim(request, recorded.claim if recorded and same else new_id(), transaction)
        if request.outside and not same:
            _note(request, claim)
    except BaseException:
        transaction.close()
        raise
    return claim


def _lock(request: Request, transaction: SharedTransaction) -> IdempotencyKey | None:
    with transaction.join(), unit_of_work() as session:
        if not idempotency.lock(session, request.workspace_id, request.key):
            raise InProgress
        return idempotency.find(session, request.workspace_id, request.key)


def _note(request: Request, claim: Claim) -> None:
    # Committed before any effect outside, so that a repeat after a crash has the same key.
    with unit_of_work() as session:
        idempotency.put(
            session,
            request.workspace_id,
            request.key,
            request_sha256=request.sha256,
            claim=claim.id,
        )


def _decode_stored(status: int, answer: str) -> Stored:
    stored = json.loads(vault.decrypt("The answer", answer))
    return Stored(status, [(name, value) for name, value in stored["headers"]], stored["body"])


@contextmanager
def _closing(transaction: SharedTransaction) -> Iterator[None]:
    try:
        yield
    finally:
        transaction.close()
