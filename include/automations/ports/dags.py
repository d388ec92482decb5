"""The port for other DAGs of the Airflow around us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from automations.kit.values import JSON

OPERATOR_DAG = "automations_operator"
"""The DAG of ours in which operators are run that steps name; a run of it is of one operator."""
OPERATOR_TASK = "operator"
"""Its only task."""


@dataclass(frozen=True, slots=True)
class DagResult:
    """What a DagRun that was asked for has come to.

    Args:
        status: one of ``DagCallStatus``.
        outputs: what its tasks have returned, by their ids.
    """

    dag_id: str
    run_id: str
    status: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class OperatorParameter:
    """What an operator may be made with.

    Args:
        default: what it is otherwise; of what is no JSON as Python writes it.
        annotation: its type as the operator's author has written it.
    """

    name: str
    required: bool
    default: JSON
    annotation: str


@dataclass(frozen=True, slots=True)
class ProviderOperator:
    """An operator of one of Airflow's providers.

    Args:
        operator: the dotted path of its class.
        description: the first paragraph that its author has written of it.
    """

    operator: str
    description: str
    parameters: tuple[OperatorParameter, ...]


class OtherDags(Protocol):
    """Has DAGs run that are no automations, where the installation allows it."""

    def forbidden(self, workspace_id: str, dag_id: str) -> str | None:
        """Why a workspace may not run a DAG; None when it may."""
        ...

    def start(
        self, run_id: str, dag_id: str, conf: Mapping[str, Any], key: str, *, awaited: bool
    ) -> str:
        """Ask for a DagRun, once for each idempotency key, and return its id.

        Airflow is asked for it a moment later, so why it cannot be is told by ``result`` only.

        Args:
            run_id: the run that asks, in whose workspace's name it is.
            awaited: whether that will wait for the DagRun's end; it is then ended with it.

        Raises:
            StepError: the workspace may not, or the run has ended.
        """
        ...

    def operator_forbidden(self, workspace_id: str, operator: str) -> str | None:
        """Why a workspace may not run an operator; None when it may."""
        ...

    def start_operator(
        self, run_id: str, operator: str, arguments: Mapping[str, Any], key: str
    ) -> str:
        """Ask for a run of an operator, as ``start`` does for one of a DAG, and wait for its end.

        Args:
            operator: the dotted path of its class.

        Raises:
            StepError: the workspace may not, or the run has ended.
        """
        ...

    def result(self, dag_run_id: str) -> DagResult:
        """Where such a DagRun stands."""
        ...
