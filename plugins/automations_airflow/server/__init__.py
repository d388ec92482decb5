"""Routes of ours in Airflow's api-server."""
