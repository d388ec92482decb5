"""Steps that wait: asleep in Airflow, asked in its pages, woken again."""
