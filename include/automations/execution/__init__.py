"""A step's life: enter, render, attempt, record."""
