"""The same graphs in stock Airflow, as somebody would write them by hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import indent

from tests.bench import stock
from tests.bench.compare.shapes import Measure, Shape

_DAG = """\
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, chain, task

def light(name):
    return PythonOperator(task_id=name, python_callable=lambda: {{"result": True}})

with DAG("{dag_id}", schedule=None, is_paused_upon_creation=False):
{tasks}
"""
_CHAIN = 'chain(*[light(f"step_{{number}}") for number in range({size})])'
_BRANCH = """\
which = BranchPythonOperator(task_id="which", python_callable=lambda: "then_0")
for arm in ("then", "else"):
    which >> light(f"{arm}_0") >> light(f"{arm}_1")
"""
_LOOP = """\
@task
def each(item):
    return {{"result": True}}

each.expand(item=list(range({size})))
"""
_APPROVAL = 'ApprovalOperator(task_id="ask", subject="Agreed?") >> light("after")'
# Looked at once a minute by default.
_CHILD = """\
TriggerDagRunOperator(
    task_id="start", trigger_dag_id="child_itself", wait_for_completion=True, poke_interval=1
)
"""


class Airflow:
    """Airflow with its defaults."""

    name = "stock Airflow"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._airflow: stock.StockAirflow | None = None

    def up(self, shapes: Sequence[Shape]) -> None:
        dags = {_dag_id(shape): _code(shape) for shape in shapes if shape.kind != "webhook"}
        if any(shape.kind == "child" for shape in shapes):
            dags["child_itself"] = _dag("child_itself", 'light("in_the_child")')
        self._airflow = stock.StockAirflow(stock.prepare(self._folder), dags)
        self._airflow.up()

    def down(self) -> None:
        if self._airflow is not None:
            self._airflow.down()

    def pids(self) -> list[int]:
        assert self._airflow is not None
        return self._airflow.pids()

    def measure(self, shape: Shape) -> Measure | None:
        assert self._airflow is not None
        match shape.kind:
            case "webhook":
                return None  # it has none
            case "approval":
                return partial(self._airflow.time_answer, _dag_id(shape), "ask")
        return partial(self._airflow.time_burst, shape.runs, _dag_id(shape))


def _dag_id(shape: Shape) -> str:
    return f"chain_{shape.size}" if shape.kind == "burst" else f"{shape.kind}_{shape.size}"


def _code(shape: Shape) -> str:
    tasks = {
        "chain": _CHAIN,
        "burst": _CHAIN,
        "loop": _LOOP,
    }
    plain = {"branch": _BRANCH, "approval": _APPROVAL, "child": _CHILD}
    if shape.kind in plain:
        return _dag(_dag_id(shape), plain[shape.kind])
    return _dag(_dag_id(shape), tasks[shape.kind].format(size=shape.size))


def _dag(dag_id: str, tasks: str) -> str:
    return _DAG.format(dag_id=dag_id, tasks=indent(tasks, "    "))
