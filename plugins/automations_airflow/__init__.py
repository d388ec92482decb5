"""Automations inside Airflow: bundle, DAGs, operators, triggers, parking."""
