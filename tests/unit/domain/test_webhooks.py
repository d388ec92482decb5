"""What a delivery becomes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import pytest

from automations.definitions.reference_docs import triggers_page
from automations.domain.webhook_deliveries import BODIES, Delivery
from automations.errors import TooLarge, ValidationFailed
from tests.senders import FORM, MULTIPART, SENDERS, Sent, multipart

_QUERY = b"a=1&a=2"


def delivery(
    body: bytes = b"", kind: str = "application/json", query: bytes = _QUERY, **headers: str
) -> Delivery:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Delivery("POST", {"content-type": kind, **named}, query, body)


def content(body: bytes, kind: str) -> Mapping[str, Any]:
    return delivery(body, kind).content().shown


def at(value: Any, path: str) -> Any:
    """What lies at a path."""
    if not path:
        return value
    return reduce(
        lambda of, key: of[int(key) if isinstance(of, list) else key], path.split("."), value
    )


@pytest.mark.parametrize("sent", SENDERS, ids=lambda sent: sent.name)
def test_what_services_send_is_read(sent: Sent) -> None:
    body = Delivery("POST", sent.all_headers(), b"", sent.body).content().shown["body"]
    assert {path: at(body, path) for path in sent.finds} == sent.finds


def carried(encoding: str, content: bytes) -> bytes:
    """A form whose one part says how its bytes are written."""
    plain = multipart(("a", content))
    return plain.replace(
        b"\r\n\r\n", f"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode(), 1
    )


_ROWS = [
    ("`application/json`", "application/json; charset=utf-8", b'{"a": [1]}', {"a": [1]}),
    ("`application/json`", "application/vnd.github+json", b"[]", []),
    ("`application/json`", "text/json", b'"x"', "x"),
    ("`application/json`", "application/json", '{"a": "ż"}'.encode("utf-16"), {"a": "ż"}),
    ("`application/json`", "application/json", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ("`application/json`", "application/json", b"9007199254740993", 9007199254740993),
    ("`text/plain`", "text/plain", "zażółć".encode(), "zażółć"),
    ("`text/plain`", "text/plain", b' {"a": 1}', {"a": 1}),
    ("`text/plain`", "text/plain", b"{not json}", "{not json}"),
    ("`text/plain`", "text/plain", b"12", "12"),
    ("`text/plain`", "text/plain; charset=windows-1250", "zażółć".encode("cp1250"), "zażółć"),
    ("`text/plain`", "", b"{}", {}),
    (f"`{FORM}`", FORM, b"a=1&b=&b=%C5%82", {"a": "1", "b": ["", "ł"]}),
    (f"`{FORM}`", FORM + "; charset=windows-1252", b"name=Jos%E9", {"name": "José"}),
    (f"`{FORM}`", FORM, b"_charset_=iso-8859-1&n=%E9", {"_charset_": "iso-8859-1", "n": "é"}),
    (f"`{FORM}`", FORM, b"payload=%7B%22a%22%3A1%7D", {"payload": {"a": 1}}),
    (f"`{FORM}`", FORM, b"payload=12&data=%7B%7D", {"payload": "12", "data": "{}"}),
    # As curl -d sends it, with signs in it that mean something in a form.
    (f"`{FORM}`", FORM, b' {"a": "1+1=2&x"}', {"a": "1+1=2&x"}),
    (f"`{FORM}`", FORM, b"{a}=1", {"{a}": "1"}),
    ("`multipart/form-data`", MULTIPART, multipart(("a", b"1"), ("a", b"2")), {"a": ["1", "2"]}),
    ("`multipart/form-data`", MULTIPART, b"For nobody.\r\n" + multipart(("a", b"1")), {"a": "1"}),
    ("`multipart/form-data`", MULTIPART, carried("base64", b"w6nD\r\nqQ=="), {"a": "éé"}),
    ("`multipart/form-data`", MULTIPART, carried("Quoted-Printable", b"=C3=A9"), {"a": "é"}),
    ("`multipart/form-data`", MULTIPART, carried("8bit", "é".encode()), {"a": "é"}),
    ("`multipart/form-data`", MULTIPART, multipart(("f", b"", "", "")), {"f": ""}),
    (
        "`multipart/form-data`",
        MULTIPART,
        multipart(("a", "é".encode("latin-1"), "", "text/plain; charset=latin-1")),
        {"a": "é"},
    ),
    (
        "`multipart/form-data`",
        MULTIPART,
        multipart(("a", b'{"b": 1}', "", "application/json")),
        {"a": {"b": 1}},
    ),
    (
        "`multipart/form-data`",
        MULTIPART,
        multipart(*(("a", part, "", "application/json") for part in (b"12", b'"12"', b" "))),
        {"a": [12, "12", None]},
    ),
    ("`application/xml`", "application/soap+xml", b"<a/>", "<a/>"),
    ("images", "application/octet-stream", b"text", None),
    ("images", "image/png", b"\x89PNG", None),
    ("`application/xml`", "text/html", b"<meta charset=koi8-r>\xe4", "<meta charset=koi8-r>Д"),
    ("any other", "text/markdown; charset=iso-8859-1", b"\x93a\x94", "“a”"),
    ("any other", "application/x-ndjson", b"{}\n{}", "{}\n{}"),
    ("whatever its type", "application/json", b"", None),
]  # fmt: skip


@pytest.mark.parametrize(("row", "kind", "body", "read"), _ROWS)
def test_a_body_is_read_as_the_documentation_says(
    row: str, kind: str, body: bytes, read: Any
) -> None:
    assert any(said.startswith(row) for said, _ in BODIES)
    assert content(body, kind)["body"] == read


def test_each_row_of_the_documentation_is_tried() -> None:
    tried = tuple({row for row, *_ in _ROWS})
    assert [said for said, _ in BODIES if not said.startswith(tried)] == []
    assert all(read in triggers_page() for _, read in BODIES)


@pytest.mark.parametrize(
    ("kind", "body", "encoded"),
    [
        ("application/octet-stream", b"\xff\x00", "/wA="),
        ("text/plain", b"a\0b", "YQBi"),
        ("text/plain", b"\xe9", "6Q=="),
        ("text/plain; charset=us-ascii", "é".encode(), "w6k="),
        ("text/plain; charset=x-nonsense", b"a", "YQ=="),
        ("text/plain; charset=unicode_escape", b"a", "YQ=="),
        (FORM, b"a=Jos%E9", "YT1Kb3MlRTk="),
        (FORM, b"\xff", "/w=="),
        (FORM, b"a=%E9&charset=windows-1252", "YT0lRTkmY2hhcnNldD13aW5kb3dzLTEyNTI="),
    ],
)
def test_what_is_no_text_in_its_charset_is_kept_as_its_bytes(
    kind: str, body: bytes, encoded: str
) -> None:
    assert content(body, kind) == {"body": None, "bodyBase64": encoded}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"\xff"),
        ("application/json; charset=us-ascii", '"é"'.encode()),
        ("application/json", b'{"a": 0.1234567890123456789}'),
        ("application/json", b'{"a": 1e999}'),
        ("text/json", b'"\\u0000"'),
        (MULTIPART, multipart(("a", b'{"b": ', "", "application/json"))),
        (MULTIPART, multipart(("a", b'{"b": 1, "b": 2}', "", "application/json"))),
        ("text/json", b"[" * 100 + b"]" * 100),
        ("text/plain", b'{"a": 1e999}'),
        ("text/plain", b"[NaN]"),
        ("", b'{"a": 1, "a": 2}'),
        (FORM, b'{"a": "\\ud800"}'),
        (FORM, b"payload=%7B%22a%22%3A1e999%7D"),
        (MULTIPART, multipart(("payload", b"[0.1234567890123456789]"))),
        (FORM, b"a=%00"),
        (FORM, b"a&" * 1001),
        (MULTIPART, multipart(("a", b"\0"))),
        (MULTIPART, multipart(("a", b"1"))[:-4]),
        (MULTIPART, b"nonsense"),
        ("multipart/form-data", multipart(("a", b"1"))),
        (MULTIPART, carried("base64", b"%%%")),
        (MULTIPART, carried("x-uuencode", b"a")),
        (MULTIPART, b"--limit\r\nX: y\r\n\r\n1\r\n--limit--\r\n"),
    ],
)
def test_a_body_that_is_not_what_it_says_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ValidationFailed):
        content(body, kind)


def test_a_file_is_a_document_if_forms_take_its_kind_and_else_in_the_body() -> None:
    parts = multipart(
        ("one", b"%PDF-1.7", "ł.pdf", "application/pdf"),
        ("other", b"MZ", "a.exe", "application/octet-stream"),
        ("none", b"", "", "application/octet-stream"),
    ).replace(b'name="none"', b'name="none"; filename=""')
    found = delivery(parts, MULTIPART).content()
    (kept,) = found.uploads
    body = found.shown["body"]
    assert (kept.name, kept.content) == ("ł.pdf", b"%PDF-1.7")
    assert body["one"] == kept.value
    assert body["other"] == {
        "filename": "a.exe",
        "contentType": "application/octet-stream",
        "size": 2,
        "base64": "TVo=",
    }
    assert body["none"] is None
    with pytest.raises(TooLarge):
        content(multipart(("f", b"x" * 500_001, "a.bin", "")), MULTIPART)


def test_a_file_has_the_name_that_holds_all_its_letters() -> None:
    named = b"filename=\"x.txt\"; filename*=UTF-8''%C3%A9%20z.txt"
    body = multipart(("f", b"hello", "x.txt", "text/plain")).replace(b'filename="x.txt"', named)
    assert content(body, MULTIPART)["body"]["f"]["filename"] == "é z.txt"


def test_the_query_is_read_as_it_was_written() -> None:
    assert delivery(query=b"a=%C5%82+1&b&a=2").data("none", None, delivery().content())[
        "query"
    ] == {
        "a": ["ł 1", "2"],
        "b": "",
    }
    for query in (b"a=%E9", b"a=%00"):
        with pytest.raises(ValidationFailed):
            delivery(query=query).data("none", None, delivery().content())


def test_secrets_do_not_come_to_the_steps() -> None:
    sent = delivery(
        b"{}",
        authorization="Bearer x",
        cookie="x",
        stripe_signature="x",
        x_api_key="x",
        x_mine="x",
        user_agent="curl",
    )
    data = sent.data("none", "X-Mine", sent.content())
    assert data["headers"] == {"content-type": "application/json", "user-agent": "curl"}
    assert data["query"] == {"a": ["1", "2"]}
    assert (data["method"], data["body"]) == ("POST", {})


def test_each_sender_names_a_delivery_in_its_own_way() -> None:
    named: dict[str, Any] = {"webhook_id": "w", "x_github_delivery": "g", "idempotency_key": "i"}
    sent = delivery(b'{"id": "evt_1"}', **named)
    schemes = ("standard", "github", "stripe", "header", "none")
    ids = {scheme: sent.id(scheme, sent.content()) for scheme in schemes}
    assert ids == {"standard": "w", "github": "g", "stripe": "evt_1", "header": "i", "none": "i"}
    for body in (b'{"id": 7}', b"[]", b""):
        other = delivery(body)
        assert other.id("stripe", other.content()) is None
    assert delivery().id("none", delivery().content()) is None
    svix = delivery(svix_id="s")
    assert svix.id("standard", svix.content()) == "s"
    sns = delivery(x_amz_sns_message_id="m")
    assert sns.id("none", sns.content()) == "m"


def test_a_very_long_id_is_told_apart_by_its_hash() -> None:
    nothing = delivery().content()
    one, other = (delivery(idempotency_key="x" * 300 + end).id("none", nothing) for end in "ab")
    assert one != other
    assert one is not None
    assert len(one) < 100


def test_headers_have_bounds() -> None:
    delivery(x="y").check()
    with pytest.raises(TooLarge):
        delivery(x="y" * 16_000).check()
    many: dict[str, Any] = {f"x{number}": "y" for number in range(101)}
    with pytest.raises(TooLarge):
        delivery(**many).check()
    with pytest.raises(ValidationFailed):
        delivery(x="\0").check()


def test_headers_are_read_in_utf_8_and_else_as_http_has_them() -> None:
    headers = {"x-subject": "Łódź".encode().decode("latin-1"), "x-old": "José", "x-plain": "a"}
    given = Delivery("POST", headers, b"", b"")
    shown = given.data("none", None, given.content())["headers"]
    assert shown == {"x-subject": "Łódź", "x-old": "José", "x-plain": "a"}


@pytest.mark.parametrize("body", [b'{"a":0.12345678901234567890,"b":"x+y&z"}', b'{"a":1,"a":2}'])
def test_json_that_cannot_be_kept_is_not_taken_for_a_form(body: bytes) -> None:
    with pytest.raises(ValidationFailed):
        Delivery("POST", {"content-type": FORM}, b"", body).content()


@pytest.mark.parametrize("parameter", ["filename*=nope''a.pdf", "filename*=utf-8''%ff.pdf"])
def test_a_file_whose_name_cannot_be_read_is_refused(parameter: str) -> None:
    whole = multipart(("a", b"%PDF-1.7", "x.pdf", ""))
    with pytest.raises(ValidationFailed):
        content(whole.replace(b'filename="x.pdf"', parameter.encode()), MULTIPART)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Rechnung.PDF", "Rechnung.PDF"),
        ("report.docx.pdf", "report.docx.pdf"),
        ("C:\\temp\\new.pdf", "new.pdf"),
        ("a;b, c=d.pdf", "a;b, c=d.pdf"),
        ("报告 №1 😀.pdf", "报告 №1 😀.pdf"),
        ("تقرير.pdf", "تقرير.pdf"),
    ],
)
def test_a_file_keeps_its_name(sent: str, kept: str) -> None:
    body = multipart(("a", b"%PDF-1.7", sent, ""))
    assert content(body, MULTIPART)["body"]["a"]["filename"] == kept


def test_a_text_of_wide_letters_is_a_text() -> None:
    body = multipart(("a", "Ż\n".encode("utf-16"), "notes.txt", "text/plain"))
    assert content(body, MULTIPART)["body"]["a"]["contentType"] == "text/plain"
