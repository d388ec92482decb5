"""The list of kinds of errors agrees with the code, and ``retry.on`` with the list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from automations.adapters.documents.problems import DocumentProblem, TemplateProblem
from automations.adapters.language_model.provider_errors import _KINDS as OF_MODELS
from automations.definitions.checking import parse
from automations.definitions.reference_docs import steps_page
from automations.domain.error_kinds import RETRIED, ErrorKind, Retried
from automations.execution.deaths import KILLED
from automations.steps.failures import INTERNAL

INCLUDE = Path(__file__).resolve().parents[3] / "include" / "automations"
OF_PIPELINES = {"paging", "shape"}
"""Errors of a source that is read, which no step meets."""
ELSEWHERE = {
    "error": False,
    KILLED: False,
    INTERNAL: False,
    "template": False,
    "memory": False,
    DocumentProblem.kind: False,
    TemplateProblem.kind: False,
    **{kind: retryable for _, kind, _, retryable in OF_MODELS},
}
"""Kinds that are not written where an error is made."""


@pytest.fixture(scope="module")
def made() -> list[tuple[str, bool]]:
    """The kinds of the errors that are made, and whether each may be retried."""
    return list(_made())


def _made() -> Iterator[tuple[str, bool]]:
    for path in INCLUDE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", None)
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if name == "Fail" and len(node.args) > 1:
                given["kind"] = node.args[1]
            if name == "Fail" and len(node.args) > 2:
                given["retryable"] = node.args[2]
            kind, retryable = given.get("kind"), given.get("retryable")
            if name in ("StepError", "Fail") and isinstance(kind, ast.Constant):
                is_false = isinstance(retryable, ast.Constant) and retryable.value is False
                yield str(kind.value), retryable is not None and not is_false


@pytest.mark.slow  # all modules are read
def test_every_kind_that_is_made_is_on_the_list_and_no_other(made: list[tuple[str, bool]]) -> None:
    kinds = {kind for kind, _ in made} | ELSEWHERE.keys()
    assert kinds - OF_PIPELINES == {kind.name for kind in ErrorKind}


@pytest.mark.slow  # all modules are read
def test_what_may_be_retried_is_on_the_list_as_such(made: list[tuple[str, bool]]) -> None:
    retried = {kind for kind, retryable in (*made, *ELSEWHERE.items()) if retryable}
    assert retried == set(RETRIED)


def saved(*kinds: Any) -> dict[str, list[str]]:
    step = {
        "name": "Call",
        "type": "http_request",
        "order": 0,
        "config": {"url": "https://a.example"},
        "retry": {"maxAttempts": 2, "on": list(kinds)},
    }
    body = {"collection": [1], "steps": [step]}
    loop = {"name": "Loop", "type": "loop", "order": 0, "config": body}
    return parse({"name": "A", "steps": [loop]})[1]


@pytest.mark.parametrize("kind", RETRIED)
def test_retry_on_may_name_any_kind_that_is_retried(kind: str) -> None:
    assert saved(kind, "timeout") == {}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("TIMEOUT", "unknown kind 'TIMEOUT'; known are answer, "),
        ("network", "unknown kind 'network'"),
        ("config", "'config' is never retried: another attempt would come to the same"),
    ],
)
def test_any_other_kind_is_refused_with_the_mend(kind: str, message: str) -> None:
    errors = saved("status", kind)
    assert list(errors) == ["steps.0.config.steps.0.retry.on.1"]
    assert message in errors["steps.0.config.steps.0.retry.on.1"][0]


def test_the_documentation_has_a_line_for_each() -> None:
    lines = [line for line in steps_page().splitlines() if line.startswith("| `")]
    for kind in ErrorKind:
        retried = {Retried.YES: "yes", Retried.NO: "no", Retried.DEPENDS: "depends"}[kind.retried]
        assert f"| `{kind.name}` | {retried} | {kind.meaning} |" in lines
