"""Jobs, whose turn it is, and who is told."""
