"""What was done, by whom, and what was noticed."""
