"""What clients write of automations: the model, its triggers, plans, checks and files."""
