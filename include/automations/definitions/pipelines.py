"""Pipelines: where records come from, and which columns of which tables they fill."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, model_validator

from automations.definitions.field_errors import field_errors
from automations.definitions.paging import Paging, WholeAnswer
from automations.definitions.schedules import check_interval
from automations.definitions.triggers import Id
from automations.domain.fields import Model, is_template
from automations.domain.http_auth import HttpAuth
from automations.domain.http_headers import check_headers
from automations.domain.tables.columns import KEYLESS, Column
from automations.errors import ValidationFailed
from automations.kit.record_paths import NOTHING, WHOLE, Path, value_at
from automations.kit.titles import Name
from automations.kit.values import JSON, Errors

ConnectorType = Literal["push", "http"]
PUSH: Final = "push"
"""Records are sent to the connection; it reads none itself."""
HTTP: Final = "http"
"""The connection reads its records from an HTTP API."""
_REFERENCE = re.compile(r"\{\{\s*secret\.([A-Z][A-Z0-9_]{0,63})\s*\}\}")


class TableMapping(Model):
    """A table that records go to."""

    table_id: Id = Field(description="The table.")
    key_columns: list[str] = Field(
        min_length=1,
        max_length=10,
        description="The columns that identify a row, so that it is changed, not added.",
    )
    field_mapping: dict[str, Path] = Field(
        default_factory=dict,
        max_length=200,
        description="The path of each column's value in a record: keys and list positions "
        "separated by dots, such as dependency.package.name; $ is the record itself. "
        "Without it, a record's keys are the columns.",
    )

    @model_validator(mode="after")
    def _keys_are_filled(self) -> Self:
        if len(set(self.key_columns)) < len(self.key_columns):
            raise ValueError("keyColumns must differ")
        missing = [key for key in self.key_columns if key not in self.field_mapping]
        if self.field_mapping and missing:
            raise ValueError(f"fieldMapping must say where '{missing[0]}' is: it is a key column")
        return self

    def misfits(self, columns: Sequence[Column], path: str) -> Errors:
        """What does not fit a table's columns."""
        kinds = {column.key: column.type for column in columns}
        errors = {
            f"{path}.fieldMapping.{key}": ["is not a column of this table"]
            for key in self.field_mapping
            if key not in kinds
        }
        for place, key in enumerate(self.key_columns):
            if kinds.get(key, "json") in KEYLESS:
                errors[f"{path}.keyColumns.{place}"] = [
                    f"'{key}' is not a column that rows can be found by"
                ]
        return errors

    def values_of(self, record: Mapping[str, JSON]) -> dict[str, JSON]:
        """The values that a record gives to columns; what it says nothing of is not among them."""
        if not self.field_mapping:
            return dict(record)
        values = {column: value_at(record, path) for column, path in self.field_mapping.items()}
        return {column: value for column, value in values.items() if value is not NOTHING}


class PushConfig(Model):
    """Records are sent with each run, or come from Airflow."""


def _own(value: str) -> str:
    if is_template(value):
        raise ValueError("must not be a template: secrets belong into auth")
    return value


def _of_one_secret(auth: HttpAuth) -> HttpAuth:
    for value in (auth.username, auth.name):
        _own(value or "")
    if not _REFERENCE.fullmatch(auth.secret.strip()):
        raise ValueError("secret must name one secret, such as API_KEY or {{secret.API_KEY}}")
    return auth


Own = Annotated[str, AfterValidator(_own)]


class HttpConfig(Model):
    """Records are read from an HTTP source, page by page."""

    url: Annotated[Own, StringConstraints(pattern=r"^https?://[^\s]+$", max_length=8_000)] = Field(
        description="Where the first page is."
    )
    query: dict[str, Own | int | bool] = Field(
        default_factory=dict, max_length=100, description="Added to the address."
    )
    headers: dict[str, Own] = Field(default_factory=dict, max_length=100, description="Sent along.")
    auth: Annotated[HttpAuth, AfterValidator(_of_one_secret)] | None = Field(
        None, description="Signs each request with a secret of the workspace."
    )
    records_path: Path = Field(
        WHOLE, description="Where the list of records is in an answer; $ is the answer itself."
    )
    paging: Paging = Field(
        default_factory=WholeAnswer, description="How one comes to the next page."
    )
    max_pages: int = Field(
        1_000, ge=1, le=10_000, strict=True, description="A sync with more pages fails."
    )
    max_bytes: int = Field(
        10_000_000,
        ge=1,
        le=10_000_000,
        strict=True,
        description="The largest page, unpacked; a sync with a larger one fails.",
    )

    @model_validator(mode="after")
    def _headers_are_safe(self) -> Self:
        check_headers(self.headers)
        if self.auth is not None:
            self.auth.alone(self.headers, self.query, self.url)
        return self

    @property
    def secret(self) -> str | None:
        """The name of the secret that signs the requests."""
        reference = _REFERENCE.fullmatch(self.auth.secret.strip()) if self.auth else None
        return reference.group(1) if reference else None


CONNECTORS: Mapping[str, type[PushConfig] | type[HttpConfig]] = {
    PUSH: PushConfig,
    HTTP: HttpConfig,
}
"""What each type of connector is configured with."""


class ConnectionShape(Model):
    """A named source, and the tables that its records go to."""

    name: Name = Field(description="Its name, unique in the workspace.")
    connector_type: ConnectorType = Field(description="How records come.")
    config: dict[str, Any] = Field(default_factory=dict, description="By the connector's type.")
    tables: list[TableMapping] = Field(
        min_length=1, max_length=20, description="Each record goes to all of them."
    )
    interval: Annotated[str, AfterValidator(check_interval)] | None = Field(
        None,
        description="How often to sync an http source, such as PT1H, from PT1M to P366D; without "
        "it, manually.",
    )
    enabled: bool = Field(True, strict=True, description="Whether it can sync.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.interval is not None and self.connector_type == PUSH:
            raise ValueError("interval is for connectors that are read from")
        if len({table.table_id for table in self.tables}) < len(self.tables):
            raise ValueError("tables must differ")
        return self


def shape_of(config: Mapping[str, Any]) -> ConnectionShape:
    """A connection as a client writes it.

    Raises:
        ValidationFailed: names the fields that are wrong.
    """
    try:
        return ConnectionShape.model_validate(dict(config))
    except ValidationError as error:
        raise ValidationFailed(field_errors(error, config)) from error


def config_errors(connector_type: str, config: Mapping[str, Any]) -> Errors:
    """What is wrong with the configuration of a connector."""
    try:
        CONNECTORS[connector_type].model_validate(dict(config))
    except ValidationError as error:
        problems = field_errors(error, config, "config.")
        return {path.rstrip("."): messages for path, messages in problems.items()}
    return {}
