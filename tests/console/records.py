"""Tables and matters of the sample, and their pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automations.db.session import unit_of_work
from automations.db.tables import DataRow, DataTable, Matter, MatterStep, MatterTemplate, RowFile
from automations.domain.matters import Board
from automations.domain.principals import Principal
from automations.domain.tables.columns import TableShape
from automations.ports import NewMatter
from automations.services.matters import matters, templates
from automations.services.tables import row_files, rows, tables

COLUMNS: list[dict[str, Any]] = [
    {"key": "company", "name": "Company", "type": "text", "required": True},
    {"key": "amount", "name": "Amount", "type": "number"},
    {"key": "active", "name": "Active", "type": "boolean"},
    {"key": "since", "name": "Since", "type": "date"},
    {"key": "seen", "name": "Last seen", "type": "datetime"},
    {"key": "country", "name": "Country", "type": "select",
     "options": [{"label": "Poland", "value": "PL"}, {"label": "Germany", "value": "DE"}]},
    {"key": "tags", "name": "Tags", "type": "multiselect", "options": ["new", "large", "risky"]},
    {"key": "mail", "name": "E-mail", "type": "email"},
    {"key": "site", "name": "Site", "type": "url"},
    {"key": "more", "name": "More", "type": "json"},
]  # fmt: skip
NAMES = ("ACME GmbH", "Łódź Textiles", "Fjord & Søn", "Quarry, Inc.", "Blue Harbour")
STEPS = (
    ("Collect the documents", "UPLOAD"),
    ("Check the register", "REVIEW"),
    ("Approve", "APPROVAL"),
    ("Sign the engagement", "SIGN_DOCUMENTS"),
)


FILE = """Company;Amount;Since;Note
Harbour & Sons;1250.5;2026-04-01;by phone
Mill Lane;12,50;2026-04-02;
;7;2026-04-03;nobody knows
Old Bakery;90;April;
Green Door;31;;met at the fair
"""


def table(by: Principal) -> tuple[str, list[str]]:
    """A table with some rows of every type, one with next to nothing, and a file to look at."""
    workspace_id = by.workspace_id
    shape = TableShape.model_validate(
        {"name": "Clients", "description": "Whom we work for.", "columns": COLUMNS}
    )
    made = tables.create(workspace_id, shape)
    ids = [
        rows.create(
            workspace_id,
            made.id,
            {
                "company": f"{name} {number}" if number else name,
                "amount": [25000, 12.5, -3, 12345678901234567890, 0][place],
                "active": place % 2 == 0,
                "since": f"2026-0{place + 1}-15",
                "seen": f"2026-03-0{place + 1}T09:30:00Z",
                "country": ("PL", "DE")[place % 2],
                "tags": [["new"], ["large", "risky"], [], ["new", "large"], ["risky"]][place],
                "mail": f"office{place}@b.example",
                "site": "https://b.example/clients",
                "more": {"employees": place * 10, "seats": ["Warsaw", "Berlin"]},
            },
        ).id
        for number in range(4)
        for place, name in enumerate(NAMES)
    ]
    ids.append(rows.create(workspace_id, made.id, {"company": "Nothing known"}).id)
    row_files.keep(by, made.id, "clients.csv", FILE.encode())
    return made.id, ids


def board(by: Principal) -> tuple[str, list[str]]:
    """A board with matters in its steps, one of them done and one rejected."""
    shape = Board.model_validate(
        {
            "name": "Client intake",
            "description": "From the first call to the signed engagement.",
            "steps": [{"name": name, "type": kind} for name, kind in STEPS],
        }
    )
    made = templates.create(by.workspace_id, shape)
    ids = []
    for place, name in enumerate((*NAMES, "Old Mill", "Done & Sons")):
        new = NewMatter(
            template_id=made.id,
            title=f"Take on {name}",
            tags=("kyc", "2026") if place % 2 else (),
            priority=("URGENT", "MEDIUM", "LOW", "HIGH")[place % 4],
            assignee_id=by.member_id if place % 2 else None,
            properties={"client": name, "fee": 1200 * place, "contacts": ["Ada", "Grace"]},
        )
        ids.append(matters.create(by, new).matter.id)
    for place, steps in ((1, 1), (2, 1), (3, 2), (4, 3), (6, 4)):
        for _ in range(steps):
            matters.advance(by, ids[place], None)
    waiting = matters.get(by.workspace_id, ids[5])
    matters.reject(by, ids[5], waiting.steps[0].id)
    return made.id, ids


def say(text: str) -> None:
    """Have a text stand in everything that people write of tables and matters."""
    with unit_of_work() as session:
        for one in session.query(DataTable):
            one.name = one.description = text
            one.columns = [{**column, "name": text} for column in one.columns]
            for column in one.columns:
                if column["options"]:
                    column["options"] = [{"label": text, "value": text}]
        for row in session.query(DataRow):
            row.data = {
                "company": text,
                "country": text,
                "tags": [text],
                "mail": text,
                "site": text,
                "seen": text,
                "since": text,
                "more": {text: [text]},
            }
        for file in session.query(RowFile):
            quoted = text.replace('"', '""')
            file.name, file.content = text, f'"{quoted}";"{quoted}"\n"{quoted}";x\n'.encode()
        for template in session.query(MatterTemplate):
            template.name = template.description = text
            template.steps = [{**step, "name": text} for step in template.steps]
        for matter in session.query(Matter):
            matter.title = matter.created_by = text
            matter.tags, matter.properties = [text], {text: {text: text}}
        for step in session.query(MatterStep):
            step.name = text
            step.decided_by = step.decided_by and text


def pages(
    table_id: str, row_ids: Sequence[str], board_id: str, matter_ids: Sequence[str]
) -> list[str]:
    """The addresses of pages that every reader has."""
    grid = f"/console/tables/{table_id}"
    return [
        "/console/tables",
        "/console/tables?q=nothing",
        grid,
        f"{grid}?q=acme&rule=amount+gt+100&rule=active+equals+true&match=any&sort=-amount&start=2",
        f"{grid}?column=country&sort=country",
        f"{grid}?column=more&first=3",
        f"{grid}?q=nothing",
        f"{grid}/rows/{row_ids[0]}",
        f"{grid}/rows/{row_ids[-1]}",
        "/console/matters",
        f"/console/matters?board={board_id}",
        f"/console/matters/list?board={board_id}&status=ACTIVE",
        "/console/matters/list?status=CANCELLED",
        *(f"/console/matters/{matter_id}" for matter_id in matter_ids[-3:]),
    ]


def editor_pages(table_id: str, row_ids: Sequence[str], board_id: str) -> list[str]:
    """Those that only who may change tables and boards has."""
    grid = f"/console/tables/{table_id}"
    return [
        "/console/tables/new",
        f"{grid}/columns",
        f"{grid}?edit={row_ids[0]}",
        f"{grid}?edit={row_ids[1]}&cell=amount",
        f"{grid}/rows/new",
        f"{grid}/import",
        "/console/matters/new",
        "/console/matters/boards/new",
        f"/console/matters/boards/{board_id}",
    ]


def pictures(
    table_id: str, row_ids: Sequence[str], board_id: str, matter_ids: Sequence[str]
) -> dict[str, str]:
    """Those that are worth a picture, by name."""
    grid = f"/console/tables/{table_id}"
    return {
        "tables": "/console/tables",
        "table": grid,
        "table-filter": f"{grid}?column=amount&rule=amount+gt+0&q=b&sort=-amount",
        "table-edit": f"{grid}?edit={row_ids[1]}",
        "table-new": "/console/tables/new",
        "table-columns": f"{grid}/columns",
        "table-row": f"{grid}/rows/{row_ids[1]}",
        "table-row-new": f"{grid}/rows/new",
        "table-import": f"{grid}/import",
        "matters": f"/console/matters?board={board_id}",
        "matter-list": "/console/matters/list",
        "matter": f"/console/matters/{matter_ids[3]}",
        "matter-new": "/console/matters/new",
        "matter-board": f"/console/matters/boards/{board_id}",
        "matter-board-new": "/console/matters/boards/new",
    }
