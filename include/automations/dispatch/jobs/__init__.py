"""What the dispatcher does for each kind of job, by noun."""
