"""Forms, what is asked by them, and what was sent."""
