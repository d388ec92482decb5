"""Reads ``<home>/settings.env``, and refuses unknown settings."""

from __future__ import annotations

import difflib
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from automations.domain.fields import SECRET_NAME
from automations.errors import SettingsFault
from automations.kit import env_files
from automations.kit.masking import MIN_SECRET_LENGTH
from automations.launcher.airflow_config import OVERRIDE
from automations.settings import PREFIX, SETTINGS_FILE, Settings

SECRET = "AUTOMATIONS_SECRET_"  # noqa: S105 -- how names of secrets begin
"""What a secret of the whole installation begins with."""
_BEFORE = ("AUTOMATIONS_HOME", "AUTOMATIONS_VENV", "AUTOMATIONS_PYTHON")
_BESIDE = ("AUTOMATIONS_SECRETS_DIR", "AUTOMATIONS_SYSTEM_PACKAGES", "AUTOMATIONS_API_KEY")
OF_THE_ENVIRONMENT = (*_BEFORE, *_BESIDE)
"""What is read before there is a home, or by commands only."""
_AIRFLOW = OVERRIDE.removeprefix(PREFIX)
_MIN_SIMILARITY, _SURE_SIMILARITY = 0.6, 0.8
"""How alike a name must be to another one, of 1, to be named beside it, or taken for it."""


def apply(home: Path) -> None:
    """Check all names, and put what is for Airflow and for secrets where these look for it.

    Raises:
        SettingsFault: names every line and variable that means nothing.
    """
    path = home / SETTINGS_FILE
    file = env_files.read(path)
    faults = list(file.faults)
    for name, line in file.lines.items():
        if problem := _problem(name) or _secret_problem(name, file.values[name]):
            faults.append(f"{path}, line {line}: {problem}")
    for name in sorted(os.environ):
        if problem := _secret_problem(name, os.environ[name]):
            faults.append(f"the environment: {problem}")
        # Others may have variables that begin like ours; only what looks like a slip is refused.
        if name.startswith(PREFIX) and (meant := _slip(name)):
            faults.append(f"the environment: {name} is no setting: {meant} is meant?")
    if faults:
        raise SettingsFault(faults)
    for name, value in file.values.items():
        if name.startswith((OVERRIDE, SECRET)):
            os.environ.setdefault(name, value)


def _problem(name: str) -> str | None:
    """Why a name means nothing in the file."""
    if name.upper() in OF_THE_ENVIRONMENT:
        return f"{name} is not read from here: set it in the environment"
    if name.upper() in _known_settings() or name.startswith(SECRET):
        return None
    meant = _suggest(name, _SURE_SIMILARITY if name.startswith(OVERRIDE) else _MIN_SIMILARITY)
    if name.startswith(OVERRIDE) and meant in (None, name.upper()):
        return None  # of a provider, or newer than the reference
    return f"{name} is no setting" + (f": {meant} is meant?" if meant else "")


def _secret_problem(name: str, value: str) -> str | None:
    """Why no step could ever name a secret of the whole installation."""
    if not name.startswith(SECRET):
        return None
    if not SECRET_NAME.fullmatch(name.removeprefix(SECRET)):
        return f"{name} can be no secret: its name is capital letters, digits and _, a letter first"
    if 0 < len(value.strip()) < MIN_SECRET_LENGTH:
        return f"{name} has less than {MIN_SECRET_LENGTH} characters: it could not be masked"
    return None


def _slip(name: str) -> str | None:
    """The setting that a variable of the environment is almost called."""
    if name in OF_THE_ENVIRONMENT or name in _known_settings() or name.startswith(SECRET):
        return None
    meant = _suggest(name, _SURE_SIMILARITY)
    return None if meant == name else meant


def _suggest(name: str, alike: float) -> str | None:
    """The setting whose name is most like one, compared without the prefix that all have."""
    own = name.upper().removeprefix(PREFIX)
    names = _of_airflow() if own.startswith(_AIRFLOW) else {*_known_settings(), *OF_THE_ENVIRONMENT}
    close = difflib.get_close_matches(
        own, sorted(candidate.removeprefix(PREFIX) for candidate in names), 1, alike
    )
    return PREFIX + close[0] if close else None


@cache
def _known_settings() -> frozenset[str]:
    return frozenset(PREFIX + name.upper() for name in Settings.model_fields)


@cache
def _of_airflow() -> frozenset[str]:
    """The options of Airflow's own reference, found without importing Airflow: that takes long."""
    spec = find_spec("airflow")
    if spec is None or spec.origin is None:
        return frozenset()
    names = set()
    section = ""
    reference = Path(spec.origin).parent / "config_templates" / "config.yml"
    for line in reference.read_text().splitlines():
        if match := re.fullmatch(r"(\w+):", line):
            section = match[1]
        elif match := re.fullmatch(r"    (\w+):", line):
            names.add(f"{OVERRIDE}{section}__{match[1]}".upper())
    return frozenset(names)
