"""Generates the page of all settings from their declarations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from automations.launcher.secrets import GENERATORS
from automations.settings import PREFIX, Settings

GROUPS: Mapping[str, Sequence[str]] = {
    "Locations and ports": (
        *("home", "host", "bridge_port", "airflow_port", "postgres_port"),
        *("mail_smtp_port", "mail_web_port", "backend_port", "demo_port"),
    ),
    "Addresses and access": (
        *("public_url", "allowed_hosts", "trusted_proxies", "cors_origins", "airflow_url"),
        "metrics_token",
    ),
    "Databases": ("database_dsn", "airflow_database_dsn", "queue_url"),
    "Outside services": (
        *("smtp_host", "smtp_port", "smtp_username", "smtp_password", "smtp_security"),
        *("mail_from", "mail_default", "http_allow", "dag_allow", "operator_allow"),
        *("connection_allow", "slack_token", "slack_base_url"),
        *("ai_provider", "ai_model", "ai_api_key", "ai_base_url"),
    ),
    "Behaviour": (
        *("profile", "celery_workers", "bridge_processes", "bridge_threads", "dispatcher"),
        "max_runs_in_airflow",
        *("parking", "run_ahead_seconds", "express_seconds", "express_workers"),
        *("retention", "retention_with", "log_format", "log_level"),
    ),
    "Limits": (
        "mails_per_caller",
        "mails_per_workspace",
        "uploads_kept",
        "uploads_daily",
        "submissions_daily",
    ),
    "In Airflow": ("airflow_admins", "airflow_roles", "airflow_username", "airflow_tabs"),
    "Secrets": tuple(GENERATORS),
}
_ABOUT = """\
Set an environment variable, or add a line `NAME=value` to `<home>/settings.env`; the environment
takes precedence. An empty value counts as unset. Separate several names with commas. `${NAME}` is
not expanded, and a value that contains ` #` needs quotes. A running home keeps the settings that it
was started with until it is restarted. Before it does anything, `./automations` refuses invalid
values, misspelt names and names that the file contains twice. A setting that is in neither place
may be a file with its name in lower case, such as `/run/secrets/automations_smtp_password`."""
_ABOUT_SECRETS = """\
Each home generates its own secrets at first start, and keeps them in `<home>/secrets.json`. Set
them yourself only if several homes form one installation."""
_HEAD = "| setting | meaning | default |\n|---|---|---|\n"
_BEFORE = (
    ("PYTHON", "Python for the launcher's environment.", "the first of 3.11 to 3.13"),
    ("VENV", "Folder of that environment.", "`.venv` beside the launcher"),
    ("SYSTEM_PACKAGES", "`no`: install no system packages for PDFs.", "as root on Debian"),
    ("SECRETS_DIR", "Folder of settings in files.", "`/run/secrets`, if it exists"),
    ("API_KEY", "API key for `apply`, `diff` and `export`.", "the home's owner key"),
)
_FOR_OTHERS = (
    (
        "AUTOMATIONS_AIRFLOW__<SECTION>__<KEY>",
        "An option of Airflow, such as `AUTOMATIONS_AIRFLOW__CORE__PARALLELISM=16`. `AIRFLOW__…` "
        "without the prefix belongs to another Airflow and has no effect here.",
    ),
    (
        "AUTOMATIONS_SECRET_<NAME>",
        "`{{secret.NAME}}` for all workspaces without such a secret; at least 5 characters.",
    ),
    ("OTEL_…", "Where traces are sent; environment only: [operations](operations.md#traces)."),
)


def settings_page() -> str:
    """The whole page, in Markdown."""
    parts = [
        "# Settings",
        "Generated from `include/automations/settings.py` by `./automations docs`.",
        _ABOUT,
    ]
    for title, names in GROUPS.items():
        parts.append(f"## {title}")
        if title == "Secrets":
            parts.append(_ABOUT_SECRETS)
        parts.append(_HEAD + "\n".join(_line(name, Settings.model_fields[name]) for name in names))
    parts += [
        "## Settings without a home",
        "Read from the environment only.",
        _HEAD
        + "\n".join(
            f"| `{PREFIX}{name}` | {description} | {value} |"
            for name, description, value in _BEFORE
        ),
        "## Other variables",
        "| variable | meaning |\n|---|---|\n"
        + "\n".join(f"| `{name}` | {description} |" for name, description in _FOR_OTHERS),
    ]
    return "\n\n".join(parts) + "\n"


def _line(name: str, field: FieldInfo) -> str:
    words = _words(field.annotation)
    description = (field.description or "").replace("|", "\\|") + (
        f" One of {words}." if words else ""
    )
    return f"| `{PREFIX}{name.upper()}` | {description} | {_default(name, field)} |"


def _words(annotation: Any) -> str:
    """The words that a setting may be, if it may be some only."""
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(annotation))
    inner = [part for part in get_args(annotation) if part is not NoneType]
    return _words(inner[0]) if len(inner) == 1 else ""


def _default(name: str, field: FieldInfo) -> str:
    if name == "home":
        return "`.automations` beside the launcher; installed, `automations` in Airflow's home"
    if name in GENERATORS:
        return "generated"
    value = field.default
    if value is None or value in ((), ""):
        return ""
    if isinstance(value, tuple):
        value = ",".join(value)
    elif isinstance(value, bool):
        value = str(value).lower()
    return f"`{value}`"
