"""What Airflow's pages show of automations."""
