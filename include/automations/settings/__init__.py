"""The settings of one installation, read once from the environment and the home folder.

Precedence, highest first: ``AUTOMATIONS_*`` environment variables, ``<home>/settings.env``,
files of the secrets' folder, ``<home>/secrets.json`` (generated once by the launcher), the defaults
in ``groups``.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    JsonConfigSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from automations.errors import SettingsFault
from automations.kit import env_files
from automations.settings.groups import (
    Access,
    AirflowUsers,
    Behaviour,
    Databases,
    Group,
    Limits,
    Locations,
    OutsideServices,
    Secrets,
)
from automations.settings.home import IS_CHECKOUT, ROOT, default_home, secrets_folder

__all__ = [
    "GROUPS",
    "IS_CHECKOUT",
    "PREFIX",
    "ROOT",
    "SETTINGS_FILE",
    "Settings",
    "default_home",
    "get_settings",
    "secrets_folder",
    "settings_of_process",
]

PREFIX = "AUTOMATIONS_"
SETTINGS_FILE = "settings.env"

_CONFIDENTIAL = (
    "postgres_password",
    "airflow_admin_password",
    "airflow_password",
    "airflow_jwt_secret",
    "airflow_secret_key",
    "airflow_fernet_key",
    "encryption_key",
    "smtp_password",
    "slack_token",
    "ai_api_key",
    "metrics_token",
    "mail_token",
    "queue_password",
)


class Settings(
    Locations,
    Access,
    Databases,
    OutsideServices,
    Behaviour,
    Limits,
    AirflowUsers,
    Secrets,
    BaseSettings,
):
    """Everything that may differ between two installations."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        home = default_home()
        files = secrets_folder()
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, _read_file(home / SETTINGS_FILE)),
            SecretsSettingsSource(settings_cls, secrets_dir=files if files.is_dir() else None),
            JsonConfigSettingsSource(settings_cls, json_file=home / "secrets.json"),
        )

    @property
    def dsn(self) -> str:
        """SQLAlchemy URL of our database."""
        return self.database_dsn or self._embedded_dsn("automations")

    @property
    def airflow_dsn(self) -> str:
        """SQLAlchemy URL of Airflow's database."""
        return self.airflow_database_dsn or self._embedded_dsn("airflow")

    def _embedded_dsn(self, database: str) -> str:
        return (
            f"postgresql+psycopg2://automations:{self.postgres_password}"
            f"@127.0.0.1:{self.postgres_port}/{database}"
        )

    @property
    def confidential(self) -> tuple[str, ...]:
        """What no log may show."""
        return tuple(
            part.strip()
            for name in _CONFIDENTIAL
            for part in (getattr(self, name) or "").split(",")
            if part.strip()
        )

    @property
    def bridge_base(self) -> str:
        """Base URL of the API, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.bridge_port}").rstrip("/")

    @property
    def airflow_base(self) -> str:
        """Base URL of Airflow, without a trailing slash."""
        return (self.airflow_url or f"http://{self.host}:{self.airflow_port}").rstrip("/")

    @property
    def catches_mail(self) -> bool:
        """Whether the mail catcher runs, and gets what no server of ours or a workspace's sends."""
        return not self.smtp_host and self.mail_default == "development" and bool(self.mail_token)

    @property
    def mail_base(self) -> str:
        """Base URL of the mail catcher's pages, which is a secret itself."""
        return f"http://{self.host}:{self.mail_web_port}/{self.mail_token}"

    @cached_property  # every request asks
    def answered_hosts(self) -> tuple[str, ...]:
        """The hosts that requests may be for, beside this machine's loopback."""
        return (*self.allowed_hosts, self.host, urlsplit(self.bridge_base).hostname or self.host)


GROUPS = tuple(base for base in Settings.__bases__ if issubclass(base, Group))
"""In the order in which the page of settings has them."""


def _read_file(path: Path) -> dict[str, object]:
    """The settings that a file has, by their fields; an empty value is none."""
    file = env_files.read(path)
    if file.faults:
        raise SettingsFault(file.faults)
    values = {name.upper(): value for name, value in file.values.items() if value}
    fields = {name: f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return {field: values[name] for field, name in fields.items() if name in values}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        SettingsFault: names each that has a wrong value; never the value, which may be a password.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [(str(part["loc"][0]).upper(), part["msg"]) for part in error.errors()]
        lines = [f"{PREFIX}{name}: {text.removeprefix('Value error, ')}" for name, text in problems]
        raise SettingsFault(lines) from None


def settings_of_process() -> Settings:
    """The same, for a process of its own: it ends with what is wrong, in words."""
    try:
        return get_settings()
    except SettingsFault as fault:
        raise SystemExit(f"automations: {fault}") from None
