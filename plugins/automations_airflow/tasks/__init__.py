"""A step as a task of Airflow's, and those that it overtakes."""
