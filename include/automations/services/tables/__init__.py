"""Tables and their rows, by the API, by steps and by syncs."""
