"""Where Airflow finds the plugin in a checkout; installed, it is found by its entry point."""

from automations_airflow.plugin import AutomationsPlugin

__all__ = ["AutomationsPlugin"]
