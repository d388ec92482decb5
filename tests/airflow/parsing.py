"""What the dag-processor leaves in Airflow's database."""

from __future__ import annotations

from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session

from automations.definitions.published import Published
from automations_airflow.dags.dag_builder import build


def parse(one: Published) -> str:
    """Leave what it does after it has read an automation's DAG; returns the DAG's id."""
    return written(build(one), "1")


def written(dag: DAG, version: str | None = None) -> str:
    """The same for any DAG."""
    lazy = LazyDeserializedDAG.from_dag(dag)
    with create_session() as session:
        session.merge(DagBundleModel(name="tests"))
        session.flush()
        SerializedDAG.bulk_write_to_db("tests", version, [lazy], None, session=session)
        SerializedDagModel.write_dag(
            lazy, bundle_name="tests", bundle_version=version, session=session
        )
    return str(dag.dag_id)
