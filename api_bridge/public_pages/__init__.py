"""Pages that need no account: decisions and forms."""
