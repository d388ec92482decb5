"""What is done beside Airflow's scheduler, in Airflow's database."""
