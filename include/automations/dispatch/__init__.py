"""The queue's worker: brings committed work to Airflow, and keeps the house in order."""
