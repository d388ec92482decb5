"""Ready automations to begin with."""
