"""A step as a task of Airflow's, and those behind it."""
