"""Generates the page of all settings from their declarations."""

from __future__ import annotations

from itertools import starmap
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from automations.launcher.secrets import GENERATORS
from automations.settings import GROUPS, PREFIX
from automations.settings.groups import Secrets

_ABOUT = """\
Set an environment variable, or add a line `NAME=value` to `<home>/settings.env`; the environment
takes precedence. An empty value counts as unset. Separate several names with commas. A number is
written in digits, with a point before decimals; what may be on or off is `true` or `false`.
`${NAME}` is not expanded, and a value that contains ` #` needs quotes. A running home keeps the
settings that it was started with until it is restarted. Before it does anything, `./automations`
refuses invalid values, misspelt names and names that the file contains twice. A setting that is in
neither place may be a file with its name in lower case, such as
`/run/secrets/automations_smtp_password`."""
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
        "Generated from `include/automations/settings/groups.py` by `./automations docs`.",
        _ABOUT,
    ]
    for group in GROUPS:
        parts.append(f"## {group.title}")
        if group is Secrets:
            parts.append(_ABOUT_SECRETS)
        parts.append(_HEAD + "\n".join(starmap(_line, group.model_fields.items())))
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
