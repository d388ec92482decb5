"""What happened, by whichever door it came, and which automations it starts."""
