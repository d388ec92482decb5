"""The tables that people define, and their rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from automations.db.tables.base import Base, QueriedJson, id_column, now_column, one_of


class DataTable(Base):
    """A table: its columns say what its rows may hold."""

    __tablename__ = "data_table"
    __table_args__ = (
        one_of("category", "SYSTEM", "FORM", "PIPELINE", "USER", "MATTER", "INTEGRATION"),
        Index(
            "uq_data_table_form_id",
            "form_id",
            unique=True,
            postgresql_where=text("form_id IS NOT NULL AND deleted_at IS NULL"),
        ),
    )

    id: Mapped[str] = id_column()
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    category: Mapped[str] = mapped_column(server_default="USER")
    columns: Mapped[list[Any]]
    form_id: Mapped[str | None] = mapped_column(ForeignKey("form.id"))
    """The form whose submissions are its rows."""
    form_columns: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The keys of the columns that the form fills, by the marks of its fields."""
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()
    deleted_at: Mapped[datetime | None]


class DataRow(Base):
    """One row; its key hash, if any, is of the columns by which it was last upserted."""

    __tablename__ = "data_row"
    __table_args__ = (
        Index("ix_data_row_table_id_created_at_id", "table_id", "created_at", "id"),
        Index(
            "uq_data_row_table_id_key_hash",
            "table_id",
            "key_hash",
            unique=True,
            postgresql_where=text("key_hash IS NOT NULL"),
        ),
        Index("ix_data_row_unhashed", "table_id", postgresql_where=text("key_hash IS NULL")),
    )

    id: Mapped[str] = id_column()
    table_id: Mapped[str] = mapped_column(ForeignKey("data_table.id"))
    data: Mapped[dict[str, Any]] = mapped_column(QueriedJson)
    key_hash: Mapped[str | None]
    created_at: Mapped[datetime] = now_column()
    updated_at: Mapped[datetime] = now_column()


class RowFile(Base):
    """A file that somebody looks at before its rows are added to a table."""

    __tablename__ = "row_file"

    table_id: Mapped[str] = mapped_column(ForeignKey("data_table.id"), primary_key=True)
    editor_id: Mapped[str] = mapped_column(primary_key=True)
    """The member, or the API key."""
    name: Mapped[str]
    content: Mapped[bytes]
    kept_at: Mapped[datetime] = now_column()
