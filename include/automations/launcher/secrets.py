"""The secrets of one installation: generated once, stored in ``<home>/secrets.json``."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from automations.errors import SettingsFault

PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105 -- an alphabet


def _password() -> str:
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(20))


def _long() -> str:
    return secrets.token_urlsafe(64)


def _short() -> str:
    return secrets.token_urlsafe(24)


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


GENERATORS: dict[str, Callable[[], str]] = {
    "postgres_password": _password,
    "airflow_admin_password": _password,
    "airflow_password": _password,
    "airflow_jwt_secret": _long,
    "airflow_secret_key": _long,
    "airflow_fernet_key": _fernet,
    "encryption_key": _fernet,
    "mail_token": _short,
    "queue_password": _short,
}


def ensure_secrets(home: Path) -> None:
    """Generate what is missing in ``secrets.json``; what is there is never changed."""
    path = home / "secrets.json"
    with (home / ".secrets.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        existing: dict[str, str] = _read(path) if path.exists() else {}
        missing = {name: make() for name, make in GENERATORS.items() if not existing.get(name)}
        if missing:
            write_private(path, json.dumps(existing | missing, indent=2) + "\n")


def _read(path: Path) -> dict[str, str]:
    # Never made anew: what is encrypted could not be read any more.
    problem, content = "is no JSON object", None
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        problem = f"is not JSON ({error})"
    if not isinstance(content, dict):
        raise SettingsFault([f"{path} {problem}: it holds this home's secrets, restore it"])
    return content


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
