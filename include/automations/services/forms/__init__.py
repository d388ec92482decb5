"""Forms, what was submitted, and the files with it."""
