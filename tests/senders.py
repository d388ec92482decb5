"""Deliveries as services document them: what comes, and what a step must find of it.

Shortened where the documents are long; encodings, headers and the shapes are the services' own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

JSON_TYPE = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Sent:
    """One delivery.

    Args:
        finds: values by their paths in the body; ``""`` is all of it.
    """

    name: str
    content_type: str
    body: bytes
    finds: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self) -> dict[str, str]:
        """The headers, with the content type if there is one."""
        kind = {"content-type": self.content_type} if self.content_type else {}
        return {**kind, **self.headers}


def as_json(value: Any, **more: Any) -> bytes:
    """A value in JSON."""
    return json.dumps(value, **more).encode()


def form(*pairs: tuple[str, str], encoding: str = "utf-8") -> bytes:
    """A form that is urlencoded."""
    return urlencode(pairs, encoding=encoding).encode()


def multipart(*parts: tuple[str, bytes] | tuple[str, bytes, str, str]) -> bytes:
    """A form of parts: name and value, and of a file its name and type."""
    written = b""
    for name, value, *of_file in parts:
        written += f'--limit\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if of_file and of_file[0]:
            written += f'; filename="{of_file[0]}"'.encode()
        if of_file and of_file[1]:
            written += f"\r\nContent-Type: {of_file[1]}".encode()
        written += b"\r\n\r\n" + value + b"\r\n"
    return written + b"--limit--\r\n"


MULTIPART = "multipart/form-data; boundary=limit"
_PUSH = {"ref": "refs/heads/main", "repository": {"full_name": "octo/Hello-World"}, "forced": False}
_SNS = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
    "Message": '{"alarm": "CPU"}',
    "SignatureVersion": "1",
}
_GITHUB = {"x-github-event": "push", "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958"}

SENDERS = [
    # GitHub: JSON, or its default, a form with the same in a field.
    Sent(
        "github", JSON_TYPE, as_json(_PUSH), {"repository.full_name": "octo/Hello-World"}, _GITHUB
    ),
    Sent(
        "github form",
        FORM,
        form(("payload", json.dumps(_PUSH))),
        {"payload.ref": "refs/heads/main", "payload.forced": False},
        _GITHUB,
    ),
    Sent(
        "github ping",
        JSON_TYPE,
        as_json({"zen": "Keep it logically awesome.", "hook_id": 1}),
        {"hook_id": 1},
    ),
    Sent(
        "gitlab",
        JSON_TYPE,
        as_json({"object_kind": "push", "total_commits_count": 4}),
        {"object_kind": "push"},
    ),
    Sent(
        "bitbucket",
        "application/json; charset=utf-8",
        as_json({"push": {"changes": []}}),
        {"push.changes": []},
    ),
    # Payments: amounts are whole numbers of the smallest unit, or texts.
    Sent(
        "stripe",
        "application/json; charset=utf-8",
        as_json(
            {"id": "evt_1", "type": "charge.succeeded", "data": {"object": {"amount": 2000}}},
            indent=2,
        ),
        {"id": "evt_1", "data.object.amount": 2000},
    ),
    Sent(
        "paypal",
        JSON_TYPE,
        as_json(
            {"event_type": "PAYMENT.SALE.COMPLETED", "resource": {"amount": {"total": "0.48"}}}
        ),
        {"resource.amount.total": "0.48"},
        {"paypal-transmission-id": "69cd13f0"},
    ),
    Sent(
        "paypal ipn",
        FORM + "; charset=windows-1252",
        form(
            ("first_name", "José"),
            ("mc_gross", "19.95"),
            ("charset", "windows-1252"),
            encoding="cp1252",
        ),
        {"first_name": "José", "mc_gross": "19.95"},
    ),
    Sent(
        "paypal ipn, as it comes",
        FORM,
        form(
            ("payment_status", "Completed"),
            ("charset", "windows-1252"),
            ("address_name", "José Müller"),
            ("verify_sign", "AtkOfCXbDm2hu0ZELryHFjY-Vb7PAUvS6nMXgysbElEn9v-1XcmSoGtf"),
            encoding="cp1252",
        ),
        {"address_name": "José Müller", "charset": "windows-1252"},
    ),
    Sent(
        "paypal ipn in Japanese",
        FORM,
        form(
            ("first_name", "太郎"),
            ("charset", "Shift_JIS"),
            ("verify_sign", "A1"),
            encoding="cp932",
        ),
        {"first_name": "太郎"},
    ),
    Sent("letters that look like a mark", FORM + "; charset=latin1", b"a=%FF%FEb", {"a": "ÿþb"}),
    Sent(
        "a mark in a field",
        FORM,
        b"a=%EF%BB%BFb&payload=%EF%BB%BF[1]",
        {"a": "\ufeffb", "payload": [1]},
    ),
    Sent(
        "a part of wide letters",
        MULTIPART,
        multipart(("a", "Ż".encode("utf-16"), "", "text/plain; charset=utf-16")),
        {"a": "Ż"},
    ),
    Sent("a field named charset", FORM, form(("charset", "latin1"), ("a", "é")), {"a": "é"}),
    Sent(
        "mandrill",
        FORM,
        form(("mandrill_events", '[{"event": "send", "ts": 1384954004}]')),
        {"mandrill_events": '[{"event": "send", "ts": 1384954004}]'},
    ),
    Sent(
        "braintree",
        FORM,
        form(("bt_signature", "a|b"), ("bt_payload", "PG5vdGlm\naWNhdGlvbj4=\n")),
        {"bt_payload": "PG5vdGlm\naWNhdGlvbj4=\n"},
    ),
    Sent(
        "salesforce",
        "text/xml; charset=utf-8",
        '<?xml version="1.0" encoding="UTF-8"?><a>Ż</a>'.encode(),
        {"": '<?xml version="1.0" encoding="UTF-8"?><a>Ż</a>'},
    ),
    Sent(
        "sap",
        "application/xml",
        '\ufeff<?xml version="1.0" encoding="UTF-16"?><a>Ż</a>'.encode("utf-16-be"),
        {"": '<?xml version="1.0" encoding="UTF-16"?><a>Ż</a>'},
    ),
    Sent("exchange rates", "text/csv; charset=x-cp1252", b"\x80;1,08\r\n", {"": "€;1,08\r\n"}),
    Sent("mysql", "application/json; charset=utf8mb4", '{"a": "😀"}'.encode(), {"a": "😀"}),
    Sent("an old korean shop", FORM + "; charset=windows-949", b"a=%B0%A1", {"a": "가"}),
    Sent(
        "elementor",
        FORM,
        form(("fields[name][value]", "Ada"), ("fields[name][type]", "text")),
        {"fields[name][value]": "Ada"},
    ),
    Sent(
        "names in a charset",
        FORM + "; charset=windows-1252",
        b"Stra%DFe=K%F6ln&x=%80",
        {"Straße": "Köln", "x": "€"},
    ),
    Sent(
        "names in a charset of its own field",
        FORM,
        b"_charset_=iso-8859-2&miasto_%B3=%A3%F3d%BC",
        {"miasto_ł": "Łódź"},
    ),
    Sent(
        "a part's name in a charset",
        MULTIPART + "; charset=iso-8859-1",
        multipart(("STRASSE", b"K\xf6ln")).replace(b"STRASSE", b"stra\xdfe"),
        {"straße": "Köln"},
    ),
    Sent(
        "adyen",
        JSON_TYPE,
        as_json(
            {
                "live": "false",
                "notificationItems": [{"NotificationRequestItem": {"success": "true"}}],
            }
        ),
        {"notificationItems.0.NotificationRequestItem.success": "true"},
    ),
    Sent(
        "shopify",
        JSON_TYPE,
        as_json({"id": 820982911946154508, "email": "jon@example.com", "total_price": "598.94"}),
        {"id": 820982911946154508, "total_price": "598.94"},
        {"x-shopify-topic": "orders/create"},
    ),
    Sent(
        "woocommerce ping",
        FORM,
        form(("webhook_id", "12")),
        {"webhook_id": "12"},
    ),
    # Slack: events as JSON, commands as a form, buttons as JSON in a form.
    Sent(
        "slack event",
        JSON_TYPE,
        as_json(
            {
                "type": "url_verification",
                "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
            }
        ),
        {"type": "url_verification"},
    ),
    Sent(
        "slack command",
        FORM,
        form(("command", "/weather"), ("text", "94070 & more"), ("team_domain", "example")),
        {"command": "/weather", "text": "94070 & more"},
    ),
    Sent(
        "slack button",
        FORM,
        form(("payload", as_json({"type": "block_actions", "user": {"id": "U1"}}).decode())),
        {"payload.user.id": "U1"},
    ),
    # Messages: a form with everything as text.
    Sent(
        "twilio",
        "application/x-www-form-urlencoded; charset=UTF-8",
        form(
            ("MessageSid", "SM1"), ("From", "+14017122661"), ("Body", "Ahoy! ❤"), ("NumMedia", "0")
        ),
        {"From": "+14017122661", "Body": "Ahoy! ❤", "NumMedia": "0"},
    ),
    Sent(
        "sendgrid events",
        JSON_TYPE,
        as_json([{"email": "a@b.example", "event": "processed", "timestamp": 1513299569}]),
        {"0.event": "processed"},
    ),
    Sent(
        "sendgrid inbound",
        MULTIPART,
        multipart(
            ("from", "José <jose@b.example>".encode()),
            ("text", "Łódź".encode("iso-8859-2")),
            ("charsets", b'{"from": "UTF-8", "text": "iso-8859-2"}'),
            ("attachments", b"1"),
            ("attachment1", b"%PDF-1.7 x", "invoice.pdf", "application/pdf"),
        ),
        {"from": "José <jose@b.example>", "text": "Łódź", "attachment1.filename": "invoice.pdf"},
    ),
    Sent(
        "mailgun inbound",
        FORM,
        form(
            ("recipient", "a@b.example"), ("body-plain", "Hi\r\nthere"), ("message-headers", "[]")
        ),
        {"body-plain": "Hi\r\nthere", "message-headers": "[]"},
    ),
    Sent(
        "mailgun with files",
        MULTIPART,
        multipart(
            ("attachment-count", b"2"),
            ("attachment-1", b"a,b\r\n1,2\r\n", "täble.csv", "text/csv"),
            ("attachment-2", b"BEGIN:VCALENDAR", "meet.ics", "text/calendar"),
        ),
        {
            "attachment-1.contentType": "text/csv",
            "attachment-2.base64": "QkVHSU46VkNBTEVOREFS",
            "attachment-2.filename": "meet.ics",
        },
    ),
    Sent(
        "postmark",
        JSON_TYPE,
        as_json({"RecordType": "Bounce", "ID": 4323372036854775807}),
        {"ID": 4323372036854775807},
    ),
    # Clouds.
    Sent(
        "sns",
        "text/plain; charset=UTF-8",
        as_json(_SNS, indent=2),
        {"Type": "Notification", "Message": '{"alarm": "CPU"}'},
        {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": "22b80b92"},
    ),
    Sent("sns raw", "text/plain; charset=UTF-8", b"disk is full", {"": "disk is full"}),
    Sent(
        "azure event grid",
        "application/json; charset=utf-8",
        as_json([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {}}]),
        {"0.data": {}},
    ),
    Sent(
        "azure with a mark",
        JSON_TYPE,
        b"\xef\xbb\xbf" + as_json({"status": "Activated"}),
        {"status": "Activated"},
    ),
    Sent(
        "google pub/sub",
        JSON_TYPE,
        as_json({"message": {"data": "SGVsbG8="}}),
        {"message.data": "SGVsbG8="},
    ),
    Sent(
        "cloudevent",
        "application/cloudevents+json; charset=utf-8",
        as_json({"specversion": "1.0", "id": "1", "data": {"n": 1}}),
        {"data.n": 1},
    ),
    # Forms.
    Sent(
        "a field of two lines",
        MULTIPART,
        multipart(("one\u2028two\u0085three", b"1"), ("%22a%22", b"2")),
        {"one\u2028two\u0085three": "1", "%22a%22": "2"},
    ),
    Sent(
        "a form behind a preamble and before an epilogue",
        MULTIPART,
        b"This is a form.\r\n" + multipart(("a", b"1")) + b"That was a form.\r\n",
        {"a": "1"},
    ),
    Sent(
        "a boundary in quotes",
        'multipart/form-data; boundary="----=_Part_1_2.3 4"',
        multipart(("a", b"1")).replace(b"limit", b"----=_Part_1_2.3 4"),
        {"a": "1"},
    ),
    Sent(
        "jotform",
        MULTIPART,
        multipart(
            ("formID", b"230000000000001"),
            ("rawRequest", as_json({"q3_name": {"first": "Ada"}})),
            ("pretty", b"Name:Ada"),
        ),
        {"formID": "230000000000001", "rawRequest": '{"q3_name": {"first": "Ada"}}'},
    ),
    Sent(
        "typeform",
        JSON_TYPE,
        as_json({"event_id": "1", "form_response": {"answers": [{"number": 1.5}]}}),
        {"form_response.answers.0.number": 1.5},
    ),
    Sent(
        "wufoo",
        FORM,
        form(("Field1", "a"), ("Field2[]", "x"), ("Field2[]", "y")),
        {"Field1": "a", "Field2[]": ["x", "y"]},
    ),
    # Others.
    Sent(
        "soap",
        "text/xml; charset=utf-8",
        "<e:Envelope>ż</e:Envelope>".encode(),
        {"": "<e:Envelope>ż</e:Envelope>"},
    ),
    Sent(
        "old xml",
        "application/xml",
        '<?xml version="1.0" encoding="ISO-8859-1"?><n>José</n>'.encode("latin-1"),
        {"": '<?xml version="1.0" encoding="ISO-8859-1"?><n>José</n>'},
    ),
    Sent("docusign pdf", "application/pdf", b"%PDF-1.4", {"": None}),
    Sent("sentry", JSON_TYPE, as_json({"culprit": "?", "level": "error"}), {"level": "error"}),
    Sent("json api", "application/vnd.api+json", as_json({"data": []}), {"data": []}),
    Sent("jira", "application/json; charset=UTF-16", '{"ż": 1}'.encode("utf-16"), {"ż": 1}),
    Sent(
        "old json",
        "text/json; charset=iso-8859-1",
        '{"n": "José"}'.encode("latin-1"),
        {"n": "José"},
    ),
]
