"""The settings, in groups: each field's description is its line on the page of all settings."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import NoDecode

from automations.kit.ages import parse_age
from automations.kit.bearer_tokens import BearerToken
from automations.kit.setting_types import (
    Dsn,
    FernetKeys,
    Host,
    HostNames,
    Hosts,
    Names,
    Origins,
    Port,
    QueueUrl,
    Sender,
    Url,
    entries,
    parts,
    plain,
)
from automations.settings.home import default_home

MEGABYTE = 1024 * 1024

_ROLES = entries(
    r"[^:]+:(?:VIEWER|MEMBER|ADMIN|OWNER)",
    "must be pairs such as Op:MEMBER, of VIEWER, MEMBER, ADMIN, OWNER",
)
_DAGS = entries(r"(?:[\w-]+/)?[\w.~:*?+-]+", "must be ids of DAGs such as etl_* or acme/etl_*")
_OPERATORS = entries(
    r"(?:[\w-]+/)?[\w.*?]+",
    "must be dotted paths such as airflow.providers.http.operators.http.HttpOperator, "
    "airflow.providers.amazon.* or acme/airflow.providers.amazon.*",
)
_CONNECTIONS = entries(
    r"(?:[\w-]+/)?[\w.#!():*?-]+", "must be ids of connections such as smtp_* or acme/smtp_*"
)


class Group(BaseModel):
    """Settings that belong together, under one heading."""

    title: ClassVar[str]

    @field_validator("*", mode="before")
    @classmethod
    def _is_plain(cls, value: object, info: ValidationInfo) -> object:
        return plain(cls.model_fields[str(info.field_name)].annotation, value)


class Locations(Group):
    """Where the parts are."""

    title = "Locations and ports"

    home: Path = Field(
        default_factory=default_home,
        description="Folder for all files that the installation writes.",
    )
    host: Host = Field("127.0.0.1", description="Address that the servers listen on.")
    bridge_port: Port = Field(8800, description="Port of the API.")
    airflow_port: Port = Field(8080, description="Port of Airflow's api-server and UI.")
    postgres_port: Port = Field(5455, description="Port of the embedded PostgreSQL.")
    mail_smtp_port: Port = Field(2525, description="SMTP port of the development mail catcher.")
    mail_web_port: Port = Field(
        8825, description="Port of the development mail catcher's pages and JSON."
    )
    backend_port: int = Field(
        8850,
        ge=1,
        le=65_300,
        description="First of the loopback ports for the queue and the servers behind the proxy, "
        "in the profile distributed.",
    )
    demo_port: Port = Field(
        8826, description="Port of the local source of ./automations demo dependabot."
    )


class Access(Group):
    """Under which addresses the installation is reached, and by whom."""

    title = "Addresses and access"

    public_url: Url | None = Field(
        None, description="Base URL of the API in the links that we send; host and port by default."
    )
    allowed_hosts: HostNames = Field(
        (),
        description="Hosts that requests may name, besides this machine's loopback, host and the "
        "host of public_url; *.example.com is every name below it, * is any.",
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(parts)] = Field(
        (),
        description="Addresses or networks of proxies whose X-Forwarded-For is trusted; by "
        "default, the client is whoever connects.",
    )
    cors_origins: Origins = Field(
        (),
        description="Origins (https://app.example.com) whose pages may call the API from "
        "browsers, with API keys; * is any.",
    )
    airflow_url: Url | None = Field(
        None, description="Base URL of Airflow for the other parts; host and port by default."
    )
    metrics_token: BearerToken | None = Field(
        None,
        description="Bearer token for GET /metrics; without one, only this machine may read it.",
    )


class Databases(Group):
    """Where it keeps its data."""

    title = "Databases"

    database_dsn: Dsn | None = Field(None, description="Our database; the embedded one by default.")
    airflow_database_dsn: Dsn | None = Field(
        None, description="Airflow's database; the embedded one by default."
    )
    queue_url: QueueUrl | None = Field(
        None,
        description="Your own Redis or Valkey for the profile distributed; by default, the "
        "launcher starts one.",
    )


class OutsideServices(Group):
    """What steps may reach, and how."""

    title = "Outside services"

    smtp_host: Host | None = Field(None, description="Mail server; the mail catcher by default.")
    smtp_port: Port = Field(587, description="Port of the mail server.")
    smtp_username: str | None = Field(None, description="User at the mail server; none by default.")
    smtp_password: str | None = Field(None, description="Password of that user.")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="Encryption of the connection to the mail server; tls encrypts from the start.",
    )
    mail_from: Sender = Field("automations@example.com", description="Sender address of mails.")
    mail_default: Literal["development", "none"] = Field(
        "development",
        description="What handles mail when there is neither smtp_host nor an integration.",
    )
    http_allow: Hosts = Field(
        (),
        description="Non-public hosts (host or host:port) that http_request and workspaces' mail "
        "servers may use.",
    )
    dag_allow: Annotated[Names, _DAGS] = Field(
        (),
        description="DAGs of this Airflow that run_workflow may run by dagId: ids with * and ?, "
        "or acme/etl_* only for the workspace with the slug acme. None by default: "
        "Airflow's DAGs belong to no workspace, and any author of automations could "
        "run them with any conf.",
    )
    operator_allow: Annotated[Names, _OPERATORS] = Field(
        (),
        description="Operators of Airflow's providers that airflow_operator may run: dotted paths "
        "with * and ?, or acme/airflow.providers.amazon.* only for the workspace with "
        "the slug acme. None by default: an operator acts with Airflow's connections "
        "and on its workers.",
    )
    connection_allow: Annotated[Names, _CONNECTIONS] = Field(
        (),
        description="Airflow connections that email, slack, http_request and ai may use by "
        "connId: ids with * and ?, or acme/smtp_* only for the workspace with the "
        "slug acme. None by default: they belong to no workspace, and were created "
        "for DAGs that administrators write.",
    )
    slack_token: BearerToken | None = Field(
        None, description="Token of the Slack app for the slack step."
    )
    slack_base_url: Url = Field(
        "https://slack.com/api/", description="Base URL of Slack's Web API."
    )
    ai_provider: Literal["openai", "anthropic"] | None = Field(
        None, description="Provider for the ai step; openai also stands for compatible servers."
    )
    ai_model: str | None = Field(None, description="Model for steps that name none.")
    ai_api_key: BearerToken | None = Field(None, description="API key of the provider.")
    ai_base_url: Url | None = Field(
        None, description="Base URL of a server with the provider's API."
    )


class Behaviour(Group):
    """What runs, and for how long things are kept."""

    title = "Behaviour"

    profile: Literal["single", "distributed"] = Field(
        "single",
        description="What ./automations up starts: one of each part, or what several machines "
        "would run, with Celery workers. up --profile also sets this, and installs "
        "what it needs.",
    )
    celery_workers: int = Field(
        2, ge=1, le=64, description="Number of Celery workers in the profile distributed."
    )
    bridge_processes: int = Field(
        1, ge=1, le=64, description="Processes that serve the API together on its port."
    )
    bridge_threads: int = Field(
        8, ge=1, le=40, description="Threads per process that query the database."
    )
    dispatcher: Literal["embedded", "off"] = Field(
        "embedded", description="Whether the bridge process also dispatches."
    )
    max_runs_in_airflow: int = Field(
        64,
        ge=1,
        description="Maximum number of runs that Airflow works on at once; one automation gets at "
        "most three quarters of them, and other runs wait for their turn.",
    )
    parking: bool = Field(
        True, description="Whether waiting runs are taken out of the scheduler's rotation."
    )
    run_ahead_seconds: float = Field(
        5,
        ge=0,
        le=60,
        description="For how long a task's process starts further steps after its own, until one "
        "may wait, is heavy or is retried; with 0, each step runs in its own task.",
    )
    express_seconds: float = Field(
        5,
        ge=0,
        le=60,
        description="For how long an express worker starts further steps of a run of an `express` "
        "automation before Airflow takes over; with 0, Airflow's workers run all "
        "steps.",
    )
    express_workers: int = Field(
        1,
        ge=0,
        le=64,
        description="Number of express workers that ./automations up starts; 0 starts none on "
        "this machine.",
    )
    retention: Annotated[timedelta, BeforeValidator(parse_age)] | None = Field(
        None, description="How long ended runs are kept, such as 90d; forever by default."
    )
    retention_with: Annotated[
        tuple[Literal["audit", "submissions", "documents"], ...],
        NoDecode,
        BeforeValidator(parts),
    ] = Field(
        (),
        description="What is deleted together with ended runs of the same age: audit, submissions "
        "(with their files), documents (of deleted runs).",
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="Format of the bridge's log: one JSON object per line, or key=value."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Lowest severity of our own lines in the bridge's log."
    )


class Limits(Group):
    """How much is accepted."""

    title = "Limits"

    mails_per_caller: int = Field(
        120, ge=1, description="Mails per minute that a key or member may send by send-email."
    )
    mails_per_workspace: int = Field(
        600, ge=1, description="Mails per minute that a whole workspace may send by send-email."
    )
    uploads_kept: int = Field(
        5 * 1024 * MEGABYTE,
        ge=0,
        description="Maximum number of bytes of uploaded files (by forms, links and webhooks) "
        "that a workspace stores.",
    )
    uploads_daily: int = Field(
        100 * MEGABYTE,
        ge=0,
        le=2 * 1024 * MEGABYTE - 1,
        description="Bytes of files that one public form, or one webhook, accepts per day.",
    )
    submissions_daily: int = Field(
        500 * MEGABYTE,
        ge=0,
        le=2 * 1024 * MEGABYTE - 1,
        description="Bytes of answers, without files, that one public form accepts per day; at "
        "most a tenth of them from one address.",
    )


class AirflowUsers(Group):
    """The users of Airflow, and its UI."""

    title = "In Airflow"

    airflow_admins: Names = Field(
        ("admin",),
        description="Airflow users who may decide in place of those who were asked, besides users "
        "whose name is that of a member with the role ADMIN.",
    )
    airflow_roles: Annotated[Names, _ROLES] = Field(
        ("Admin:ADMIN", "Op:MEMBER", "User:MEMBER", "Viewer:VIEWER"),
        description="Maps Airflow users' roles to roles in the console; the highest counts. Users "
        "with none of these roles cannot enter the console from Airflow.",
    )
    airflow_username: str = Field("bridge", description="The bridge's user in Airflow.")
    airflow_tabs: bool = Field(
        False,
        description="Whether Airflow's UI shows the console's tabs on the pages of DAGs, runs and "
        "tasks. They appear for all DAGs, because Airflow cannot limit them to some. "
        "The launcher's Airflow has them.",
    )


class Secrets(Group):
    """What the launcher generates into ``<home>/secrets.json``."""

    title = "Secrets"

    postgres_password: str = Field("", description="Password of the embedded PostgreSQL.")
    airflow_admin_password: str = Field("", description="Password of admin in Airflow's UI.")
    airflow_password: str = Field("", description="Password of the bridge's user in Airflow.")
    airflow_jwt_secret: str = Field("", description="Signs messages between Airflow's parts.")
    airflow_secret_key: str = Field("", description="Signs the sessions of Airflow's UI.")
    airflow_fernet_key: FernetKeys = Field(
        "", description="Encrypts Airflow's connections and variables."
    )
    encryption_key: FernetKeys = Field(
        "",
        description="Fernet keys for secrets and credentials, separated by commas; the first one "
        "encrypts.",
    )
    mail_token: str = Field(
        "",
        description="First part of the paths of the mail catcher's pages, which have no sign-in.",
    )
    queue_password: str = Field("", description="Password of the queue that the launcher starts.")
