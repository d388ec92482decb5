"""From what is published to DAGs."""
