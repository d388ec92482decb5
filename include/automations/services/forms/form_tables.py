"""Tables of forms: created when a form is published; from then on each submission is a row."""

from __future__ import annotations

from automations.db.rows import data_rows, data_tables
from automations.db.session import Session
from automations.db.tables import DataTable, Form, Submission
from automations.domain.forms.columns import extend, values
from automations.domain.tables.columns import columns_json, columns_of
from automations.kit import common_clock
from automations.kit.storable import kept_alike, same
from automations.services.audit import audit
from automations.services.tables.rows import announce


def publish(session: Session, form: Form) -> None:
    """Make a table for a locked form that has none; else let its table follow the form."""
    if data_tables.of_form(session, form.id, lock="shape") is not None:
        follow(session, form)
        return
    columns, marks = extend([], {}, form.schema)
    table = DataTable(
        workspace_id=form.workspace_id,
        name=form.title,
        category="FORM",
        columns=columns_json(columns),
        form_id=form.id,
        form_columns=marks,
    )
    session.add(table)
    session.flush()
    audit.record(session, "table.create", table, name=table.name, formId=form.id)


def follow(session: Session, form: Form) -> None:
    """Give the table of a locked form, if it has one, columns for the fields that are new."""
    table = data_tables.of_form(session, form.id, lock="shape")
    if table is None:
        return
    columns, marks = extend(columns_of(table.columns), table.form_columns, form.schema)
    if marks == table.form_columns:
        return
    table.columns, table.form_columns = columns_json(columns), marks
    table.updated_at = common_clock.now()
    audit.record(session, "table.update", table, name=table.name, formId=form.id)


def release(session: Session, form: Form) -> None:
    """Leave the table of a form that is deleted to itself: it is one like any other."""
    table = data_tables.of_form(session, form.id, lock="shape")
    if table is not None:
        table.form_id, table.form_columns = None, {}
        audit.record(session, "table.update", table, name=table.name, formId=None)


def add(session: Session, form: Form, submission: Submission) -> None:
    """Let a submission be a row with its id, if the form has a table."""
    table = data_tables.of_form(session, form.id, lock="rows")
    if table is None:
        return
    columns = columns_of(table.columns)
    data = values(columns, table.form_columns, form.schema, submission.data)
    row = data_rows.add(session, table.id, data, None, row_id=submission.id)
    announce(session, table, columns, row, "ROW_ADDED", None)


def change(session: Session, form: Form, submission: Submission) -> None:
    """Let a changed submission change its row, if it is one; other columns stay."""
    table = data_tables.of_form(session, form.id, lock="rows")
    row = data_rows.find(session, table.id, submission.id, lock=True) if table else None
    if table is None or row is None:
        return
    columns, filled = columns_of(table.columns), set(table.form_columns.values())
    own = {key: value for key, value in row.data.items() if key not in filled}
    data = own | values(columns, table.form_columns, form.schema, submission.data)
    if not kept_alike(data, row.data):
        is_changed = not same(data, row.data)
        data_rows.change(session, row, data, None)
        if is_changed:
            announce(session, table, columns, row, "RECORD_UPDATED", None)
