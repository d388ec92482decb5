"""Who may do what: members, keys, sign-ins, and how often."""
