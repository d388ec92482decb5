"""Where tasks run: warm processes, on this machine or under Celery."""
