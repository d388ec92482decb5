"""Airflow as the bridge asks it: over its REST API, version 2."""
