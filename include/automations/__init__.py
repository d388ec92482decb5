"""Airflow Automations: definitions, runs and steps, without Airflow and without a web server."""
