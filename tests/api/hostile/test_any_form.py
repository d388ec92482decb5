"""Whatever form, CSV or event a door is sent, it is taken or refused: never a failure of ours."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from automations.db.session import unit_of_work
from automations.db.tables import RateLimit
from automations.settings import get_settings
from tests.api.conftest import Api
from tests.hostile.parameters import CHARSETS, MORE

KINDS = (
    *("text", "email", "number", "select", "multiselect", "checkbox", "yesno", "rating", "date"),
    *("time", "datetime", "url", "table_fill", "signature", "file", "country", "textarea"),
)
FIELDS = [{"id": kind, "key": kind, "type": kind} for kind in KINDS]
FORM = {
    "title": "x",
    "public": True,
    "schema": {
        "sections": [
            {"id": "s", "fields": FIELDS},
            {"id": "r", "repeatable": True, "fields": FIELDS},
        ]
    },
}
TABLE: dict[str, Any] = {
    "name": "x",
    "columns": [
        {"key": kind, "type": kind}
        for kind in ("text", "number", "boolean", "date", "datetime", "json", "multiselect")
    ],
}
PARTS = st.text(st.characters(max_codepoint=0x2FF), max_size=6) | st.sampled_from(
    [
        *("9" * 5_000, "1e999", "0.12345678901234567890", "NaN", "-", "[[1]]", "[" * 3_000, "\0"),
        *('{"a": 1}', "0001-01-01T00:00:00+14:00", "2026-02-30", "on", "true", "25:00", "\ufeff"),
        *("9999-12-31T23:59:59-14:00", "0001-01-01", "2026-02-29T24:00", "section_r_items", "999"),
    ]
)
NAMES = st.sampled_from(KINDS).flatmap(
    lambda kind: st.sampled_from(
        [
            *(f"data.{kind}", f"data.section_r_items.0.{kind}", f"data.section_r_items.999.{kind}"),
            *(kind, f"data.{kind}.0", f"data.{kind}[0][a]", f"data.section_r_items.x.{kind}"),
            *(f"data.section_r_items.99999.{kind}", f"data.{kind}" + ".0" * 90),
            *("decision", "reason", "payload", "_charset_", "charsets", "add", "remove", ""),
            *("items.section_r_items", "data.section_r_items"),
        ]
    )
)
PAIRS = st.lists(st.tuples(NAMES, PARTS), max_size=6)
TYPES = st.sampled_from(
    [
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/csv"),
        *("application/x-www-form-urlencoded; charset=utf-16", "text/csv; charset=windows-1252"),
        *("multipart/form-data", "application/cloudevents+json", "application/xml", "text/plain"),
        *("application/x-www-form-urlencoded; charset=nope", "application/cloudevents-batch+json"),
        *(f"{kind}; {more}" for kind in ("application/json", "text/csv") for more in CHARSETS),
    ]
)
once = settings(
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def doors(api: Api) -> dict[str, str]:
    form = api.call("POST", "/api/forms", FORM).json()["id"]
    table = api.call("POST", "/api/tables", TABLE).json()["id"]
    hook = api.workflow(trigger={"type": "webhook", "verification": "none"})["webhookUrl"]
    return {
        "form": f"/api/forms/{form}/public",
        "import": f"/api/tables/{table}/rows/import",
        "hook": str(hook).removeprefix(get_settings().bridge_base),
        "callback": "/api/workflows/callback/x",
        "events": "/api/events",
        "files": "/api/workflows/import",
    }


def post(api: Api, path: str, body: bytes, kind: str, **more: str) -> Any:
    with unit_of_work() as session:
        # A person is not so fast.
        session.execute(delete(RateLimit))
    headers = {"Authorization": f"Bearer {api.keys['OWNER']}", "Content-Type": kind, **more}
    return api.http.post(path, content=body, headers=headers)


@given(pairs=PAIRS, more=st.sampled_from(["", *(header for header, _ in MORE.values())]))
@once
def test_no_form_that_was_filled_in(api: Api, doors: dict[str, str], pairs: Any, more: str) -> None:
    encoded = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs).encode()
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}\r\n'
        for name, value in pairs
    )
    for path in (doors["form"], doors["hook"], doors["callback"]):
        for kind, body in (
            ("application/x-www-form-urlencoded", encoded),
            ("multipart/form-data; boundary=x", f"{parts}--x--\r\n".encode()),
        ):
            answer = post(api, path, body, kind)
            assert answer.status_code < 500, (path, pairs, answer.text)


@given(
    names=st.lists(
        st.sampled_from([*(column["key"] for column in TABLE["columns"]), "zz"]), max_size=4
    ),
    lines=st.lists(st.lists(PARTS, max_size=4), max_size=3),
    said=st.just("") | st.characters(exclude_categories=["Cs"]).map("sep={}\r\n".format),
)
@example(names=["text"], lines=[["a"]], said='sep="\n')
@example(names=["text"], lines=[["a"]], said="sep=\r\n")
@example(names=["text"], lines=[["a"]], said="sep=\r\r\n")
@once
def test_no_csv(api: Api, doors: dict[str, str], names: list[str], lines: Any, said: str) -> None:
    text = said + "\n".join([",".join(names), *(",".join(line) for line in lines)])
    answer = post(api, doors["import"], text.encode(), "text/csv")
    assert answer.status_code < 500, (text, answer.text)


@given(kind=TYPES, body=st.binary(max_size=60) | PARTS.map(str.encode))
@once
def test_no_bytes_of_any_type(api: Api, doors: dict[str, str], kind: str, body: bytes) -> None:
    for path in doors.values():
        answer = post(api, path, body, kind)
        assert answer.status_code < 500, (path, kind, body, answer.text)


@given(
    attributes=st.dictionaries(
        st.sampled_from(["ce-id", "ce-type", "ce-source", "ce-time", "ce-subject", "ce-x"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9)
        | st.sampled_from(["%00", "%ED%A0%80", "%FF", "2026-01-01T00:00:00Z", "x.y", "/a"]),
    ),
    body=PARTS,
)
@once
def test_no_event(api: Api, doors: dict[str, str], attributes: dict[str, str], body: str) -> None:
    given = {"ce-id": "1", "ce-type": "x.y", "ce-source": "/s", "ce-specversion": "1.0"}
    for kind in ("application/json", "text/plain", "application/octet-stream"):
        answer = post(api, doors["events"], body.encode(), kind, **{**given, **attributes})
        assert answer.status_code < 500, (attributes, body, answer.text)
