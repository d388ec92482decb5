"""Tables of a workspace and their rows."""
