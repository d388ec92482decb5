"""The same graphs on ours, on stock Airflow and on its peers, in turns on one machine."""
