"""One vendor per module, each behind a role named in ``automations.ports``."""
