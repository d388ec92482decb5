"""What Celery keeps of ended tasks."""

from __future__ import annotations

from sqlalchemy import Engine, text

from automations_airflow.scheduler.task_results import TaskResults


def test_ends_that_are_a_week_old_are_forgotten_and_what_runs_is_not(
    airflow_database: Engine,
) -> None:
    results = TaskResults(airflow_database)
    with airflow_database.connect() as connection:
        # Others' tests have Celery make its own table.
        connection.execute(text("CREATE SCHEMA results; SET search_path = results"))
        results.look(connection)  # where Celery has made no table yet
        connection.execute(
            text("CREATE TABLE celery_taskmeta (id int, status varchar(50), date_done timestamp)")
        )
        try:
            connection.execute(
                text("""
                INSERT INTO celery_taskmeta
                SELECT id, status, now() AT TIME ZONE 'UTC' - age FROM (VALUES
                    (1, 'SUCCESS', interval '169 hours'), (2, 'FAILURE', interval '169 hours'),
                    (3, 'REVOKED', interval '169 hours'), (4, 'SUCCESS', interval '167 hours'),
                    (5, 'STARTED', interval '169 hours'), (6, 'PENDING', interval '169 hours'),
                    (7, 'SUCCESS', NULL)
                ) AS told (id, status, age)
                """)
            )
            results.look(connection)
            left = connection.scalars(text("SELECT id FROM celery_taskmeta ORDER BY id")).all()
        finally:
            connection.execute(text("DROP SCHEMA results CASCADE; RESET search_path"))
    assert left == [4, 5, 6, 7]
