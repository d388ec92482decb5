"""What has happened, and what listens to it."""
