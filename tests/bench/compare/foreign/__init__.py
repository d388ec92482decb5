"""What is run in environments of others, where nothing of ours is."""
