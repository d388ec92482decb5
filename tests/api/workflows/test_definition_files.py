"""Definitions exported and imported: the same again, all or nothing, and no version for nothing."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from automations.db.session import unit_of_work
from automations.db.tables import Workflow
from automations.definitions.files import read
from automations.services.workflows.definitions import load
from automations.steps.registry import STEP_TYPES
from tests.api.answers import errors
from tests.api.conftest import Api
from tests.api.workflows.definition_files import FILE, applied, exported, send, versions

FORMS = ("yaml", "json")
# What a file would read as something else, or not at all, if it stood there bare.
ODD = st.sampled_from(
    [
        *(
            "",
            " ",
            "-",
            "---",
            "...",
            "=",
            "<<",
            "*a",
            "&a",
            "!!str",
            "!a",
            "%A",
            "@a",
            "`a",
            "? a",
        ),
        *("a: b", "a #b", "#b", "[a]", "'a", '"a', "|", ">", ">-", "1_000", "0o7", "0b1", "1:30"),
        *(
            "2026-01-01",
            "2026-01-01 10:00",
            "yes",
            "off",
            "NaN",
            ".inf",
            "1e3",
            "a\n",
            "\na",
            "a\n\n",
        ),
        *(
            " a\n b",
            "a\tb",
            "\ta",
            "a\rb",
            "a\r\nb",
            "\x85",
            "\u2028a",
            "\ufeff",
            "\x1b[0m",
            "\U0001f600",
        ),
    ]
)
TEXT = ODD | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
DATA: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EXAMPLES = {
    name: STEP_TYPES[name].example
    for name in ("approval", "code", "email", "evidence_snapshot", "notification")
}
RETRIES: list[dict[str, Any]] = [{}, {"retry": None}, {"retry": {"maxAttempts": 2}}]
PLAIN = TEXT.map(lambda text: text.replace("{", "(").replace("}", ")"))


@st.composite
def steps(draw: st.DrawFn, depth: int = 2) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for order in range(draw(st.integers(0, 2))):
        kind = draw(st.sampled_from(["http_request", "delay", "condition", "loop"][: 2 + depth]))
        config: dict[str, Any] = {"duration": "PT1H"}
        if kind == "http_request":
            # The names of fields of a step, in an order that is not a step's.
            data = {"config": draw(DATA), "type": "x", "name": draw(PLAIN), "steps": []}
            config = {"url": "https://a.example", "method": "POST", "body": data}
        elif kind == "condition":
            config = {"expression": "1 > 0", "then": draw(steps(depth - 1))}
        elif kind == "loop":
            inner = {"name": "i", "type": "delay", "order": 9, "config": {"duration": "PT1S"}}
            config = {"collection": [1, 2], "steps": [inner, *draw(steps(0))]}
        elif draw(st.booleans()):
            kind = draw(st.sampled_from(sorted(EXAMPLES)))
            config = dict(EXAMPLES[kind])
        more = draw(st.sampled_from(RETRIES))
        made.append({"name": f"s{order}", "type": kind, "order": order, "config": config, **more})
    return made


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Definitions as clients send them, often of one name."""
    trigger = draw(
        st.sampled_from(
            [
                {"type": "manual"},
                {"type": "schedule", "config": {"cron": "0 6 * * *"}},
                {"type": "schedule", "cron": "0 6 * * *", "timezone": "Europe/Warsaw"},
                {"type": "webhook", "config": {"verification": "header", "secret": "a-secret"}},
                {"type": "event", "config": {"triggerType": "ROW_ADDED"}},
            ]
        )
    )
    optional = {
        "description": draw(TEXT),
        "status": draw(st.sampled_from(["DRAFT", "ACTIVE", "PAUSED"])),
        "variables": draw(st.dictionaries(PLAIN, DATA, max_size=3)),
        "timezone": "Asia/Tokyo",
    }
    chosen = draw(st.sets(st.sampled_from(sorted(optional))))
    return {
        "name": draw(st.sampled_from(["A", "on", " b\n", "\u2028c", "1.0"])),
        "trigger": trigger,
        "steps": draw(steps()),
        **{name: optional[name] for name in chosen},
    }


class TestImport:
    def test_a_file_makes_an_automation(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        assert (made["action"], made["key"], made["version"]) == ("create", "welcome", 1)
        assert "+name: Welcome" in made["diff"]
        automation = api.call("GET", f"/api/workflows/{made['id']}").json()
        assert (automation["key"], automation["name"], automation["status"]) == (
            "welcome",
            "Welcome",
            "ACTIVE",
        )
        assert "id:" not in made["diff"]  # made up by us, and another one each time
        assert automation["steps"][1]["retry"] == {"maxAttempts": 3, "on": ["timeout"]}
        assert automation["steps"][0]["config"]["then"][0]["config"]["body"].endswith("{{now}}.\n")

    def test_the_same_file_again_makes_no_version_and_keeps_all_ids(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        before = api.call("GET", f"/api/workflows/{made['id']}").json()
        (again,) = applied(api, FILE)
        assert again == {**made, "action": "unchanged", "diff": ""}
        assert api.call("GET", f"/api/workflows/{made['id']}").json() == before
        assert versions() == 1

    def test_a_change_is_a_version_and_a_diff_and_keeps_the_ids_of_steps(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        before = api.call("GET", f"/api/workflows/{made['id']}").json()
        (after,) = applied(api, FILE.replace("subject: Hello", "subject: Goodbye"))
        assert (after["action"], after["id"], after["version"]) == ("update", made["id"], 2)
        lines = after["diff"].splitlines()
        assert [line for line in lines if line.startswith(("-", "+"))][2:] == [
            "-        subject: Hello",
            "+        subject: Goodbye",
        ]
        automation = api.call("GET", f"/api/workflows/{made['id']}").json()
        inner = [body["steps"][0]["config"]["then"][0]["id"] for body in (before, automation)]
        assert inner[0] == inner[1]
        assert [step["id"] for step in automation["steps"]] == [
            step["id"] for step in before["steps"]
        ]

    def test_a_key_that_another_has_is_told_beside_what_else_is_wrong(self, api: Api) -> None:
        taken, mine = (api.workflow(name=name, key=name)["id"] for name in ("taken", "mine"))
        file = [{"id": mine, "key": "taken", "name": "mine"}, {"name": "", "steps": []}]
        answer = api.call("POST", "/api/workflows/import", file)
        assert errors(answer) == {
            "0.key": ["'taken' is the key of another automation"],
            "1.name": ["must not be empty"],
        }
        assert api.call("GET", f"/api/workflows/{taken}").json()["version"] == 1

    def test_what_the_file_does_not_say_is_no_more_but_the_status_stays(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        (after,) = applied(api, "key: welcome\nname: Renamed\n")
        assert after["id"] == made["id"]
        automation = api.call("GET", f"/api/workflows/{made['id']}").json()
        assert (automation["name"], automation["steps"], automation["variables"]) == (
            "Renamed",
            [],
            {},
        )
        assert (automation["status"], automation["trigger"]["type"]) == ("ACTIVE", "manual")

    def test_a_dry_run_says_the_same_and_does_nothing(self, api: Api) -> None:
        (tried,) = applied(api, FILE, "?dryRun=true")
        assert (tried["action"], tried["id"]) == ("create", None)
        assert api.call("GET", "/api/workflows").json() == []
        assert applied(api, FILE, "?dryRun=true") == [tried]
        applied(api, FILE)
        changed = FILE.replace("PT1H", "PT2H").replace("name: Check", "name: Test")
        (tried,) = applied(api, changed, "?dryRun=true")
        assert applied(api, changed, "?dryRun=true") == [tried]
        assert versions() == 1
        (done,) = applied(api, changed)
        assert done == tried

    def test_a_file_is_applied_whole_or_not_at_all(self, api: Api) -> None:
        text = f"{FILE}---\nname: Broken\nsteps: [{{name: x, type: nope, order: 0}}]\n---\n{{}}\n"
        field_errors = errors(send(api, text))
        assert sorted(field_errors) == ["1.steps.0.type", "2.name"]
        assert api.call("GET", "/api/workflows").json() == []

    @pytest.mark.parametrize("kind", ["json", "yaml"])
    def test_json_is_taken_like_yaml(self, api: Api, kind: str) -> None:
        body = json.dumps([read(FILE)[0], {"name": "Other"}])
        assert [entry["action"] for entry in applied(api, body, kind=kind)] == ["create", "create"]
        assert [entry["action"] for entry in applied(api, FILE)] == ["unchanged"]

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("name: [", "body"),
            ("5", "0.body"),
            ("name: x\nid: cnothing", "0.id"),
            ("name: x\nkey: Not a key", "0.key"),
            ("name: x\ncolor: red", "0.color"),
            ("name: x\nstatus: OPEN", "0.status"),
            ("key: a\nname: x\n---\nkey: a\nname: y", "1.name"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_place(self, api: Api, text: str, field: str) -> None:
        assert list(errors(send(api, text))) == [field]

    def test_another_media_type_or_role_is_refused(self, api: Api) -> None:
        assert send(api, FILE, kind="xml").status_code == 415
        assert send(api, FILE, role="MEMBER").status_code == 403

    def test_two_imports_at_once_make_one_automation(self, api: Api) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: send(api, FILE), range(4)))
        assert {answer.status_code for answer in answers} <= {200, 400}
        assert len(api.call("GET", "/api/workflows").json()) == 1

    def test_what_a_dry_run_read_is_not_taken_for_what_is_saved_afterwards(self, api: Api) -> None:
        (called, caller) = applied(api, "key: called\nname: Called\n---\nkey: caller\nname: Caller")
        step = {
            "name": "Call",
            "type": "run_workflow",
            "order": 0,
            "config": {"workflowId": called["id"]},
        }
        tried = [
            {"key": "called", "name": "Tried"},
            {"key": "caller", "name": "Caller", "steps": [step], "errorWorkflowId": called["id"]},
        ]
        applied(api, json.dumps(tried), "?dryRun=true", kind="json")
        api.call("PATCH", f"/api/workflows/{called['id']}", {"name": "Saved"})
        with unit_of_work() as session:
            assert load(session, called["id"], 2).definition.name == "Saved"
            assert load(session, caller["id"], 1).definition.steps == []


class TestMatching:
    def test_an_id_goes_before_a_key_and_a_key_before_a_name(self, api: Api) -> None:
        by_id = api.workflow(name="A")["id"]
        (by_key,) = applied(api, "key: k\nname: B")
        (one,) = applied(api, f"id: {by_id}\nkey: other\nname: B")
        assert (one["action"], one["id"]) == ("update", by_id)
        (two,) = applied(api, "key: k\nname: A")
        assert (two["action"], two["id"]) == ("update", by_key["id"])

    def test_a_file_gives_its_key_to_the_one_that_has_its_name(self, api: Api) -> None:
        made = api.workflow(name="A", steps=[])["id"]
        (one,) = applied(api, "key: k\nname: A")
        assert (one["action"], one["id"], one["key"]) == ("update", made, "k")
        (other,) = applied(api, "key: k2\nname: A")
        assert other["action"] == "create"

    def test_a_name_that_several_have_tells_nothing(self, api: Api) -> None:
        ids = [api.workflow(name="A")["id"] for _ in range(2)]
        (message,) = errors(send(api, "name: A"))["0.name"]
        assert all(id_ in message for id_ in ids)

    def test_a_key_is_unique_until_its_automation_is_deleted(self, api: Api) -> None:
        (made,) = applied(api, "key: k\nname: A")
        field_errors = errors(api.call("POST", "/api/workflows", {"name": "B", "key": "k"}))
        assert list(field_errors) == ["key"]
        assert api.call("DELETE", f"/api/workflows/{made['id']}").status_code == 204
        assert api.call("POST", "/api/workflows", {"name": "B", "key": "k"}).status_code == 201

    def test_another_workspace_has_its_own(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        (theirs,) = applied(api, FILE, role="STRANGER")
        assert theirs["action"] == "create"
        assert list(errors(send(api, f"id: {made['id']}\nname: x", role="STRANGER"))) == ["0.id"]

    def test_an_id_that_is_not_here_is_refused_with_what_to_do(self, api: Api) -> None:
        text = exported(api, api.workflow(name="A")["id"])
        (message,) = errors(send(api, text, role="STRANGER"))["0.id"]
        assert "without an id one is made" in message


class TestExport:
    @pytest.mark.parametrize("form", ["yaml", "json"])
    def test_automations_of_one_name_are_told_apart(self, api: Api, form: str) -> None:
        ids = [api.workflow(name="A", description=str(number))["id"] for number in range(2)]
        api.workflow(name="A", key="k")
        text = exported(api, form=form)
        entries = applied(api, text, "?dryRun=true", kind=form)
        assert {entry["action"] for entry in entries} == {"unchanged"}
        assert [entry["id"] for entry in entries[:2]] == ids
        assert [definition.get("id") for definition in read(text)] == [*ids, None]

    def test_one_without_a_key_may_be_renamed_in_its_file(self, api: Api) -> None:
        made = api.workflow(name="A")["id"]
        (after,) = applied(api, exported(api, made).replace("name: A", "name: B"))
        assert (after["action"], after["id"]) == ("update", made)

    @pytest.mark.parametrize(
        "text",
        ["1e100", "1E5", "+.5", "007", "1.", ".5", "-0", "null", "~", "True", "0x1f"],
    )
    def test_a_text_that_looks_like_something_else_stays_one(self, api: Api, text: str) -> None:
        api.workflow(name="A", variables={text: text})
        (found,) = applied(api, exported(api), "?dryRun=true")
        assert found["action"] == "unchanged"

    @settings(
        deadline=None,
        max_examples=25,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(written=st.lists(definitions(), min_size=1, max_size=3), form=st.sampled_from(FORMS))
    def test_a_workspace_is_what_its_export_says(
        self, api: Api, written: list[dict[str, Any]], form: str
    ) -> None:
        for body in written:
            answer = api.call("POST", "/api/workflows", body)
            assert answer.status_code == 201, answer.text
        text = exported(api, form=form)
        entries = applied(api, text, "?dryRun=true", kind=form)
        assert [entry["diff"] for entry in entries if entry["action"] != "unchanged"] == []
        for one in entries:
            answer = api.call("DELETE", f"/api/workflows/{one['id']}")
            assert answer.status_code == 204

    @pytest.mark.parametrize("form", ["yaml", "json"])
    def test_what_is_exported_is_imported_again_without_a_change(self, api: Api, form: str) -> None:
        (made,) = applied(api, FILE)
        text = exported(api, made["id"], form)
        assert [entry["action"] for entry in applied(api, text, kind=form)] == ["unchanged"]
        (elsewhere,) = applied(api, text, role="STRANGER", kind=form)
        assert elsewhere["action"] == "create"
        theirs = exported(api, elsewhere["id"], form, "STRANGER")
        assert theirs == text

    def test_it_reads_as_it_was_written(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        text = exported(api, made["id"])
        assert text.startswith("key: welcome\nname: Welcome\nstatus: ACTIVE\ntrigger:\n")
        assert "        body: |\n          Dear Ada,\n          it is {{now}}.\n" in text

    def test_all_are_one_file_the_first_one_first(self, api: Api) -> None:
        applied(api, FILE)
        api.workflow(name="Second")
        text = exported(api)
        assert [definition["name"] for definition in yaml.safe_load_all(text)] == [
            "Welcome",
            "Second",
        ]
        assert {entry["action"] for entry in applied(api, text)} == {"unchanged"}
        assert json.loads(exported(api, form="json"))[1]["name"] == "Second"

    def test_it_is_a_download(self, api: Api) -> None:
        (made,) = applied(api, FILE)
        answer = api.call("GET", f"/api/workflows/{made['id']}/export")
        assert answer.headers["content-type"] == "application/yaml"
        assert 'filename="welcome.yaml"' in answer.headers["content-disposition"]
        assert api.call("GET", "/api/workflows/x/export").status_code == 404
        assert api.call("GET", "/api/workflows/export?format=xml").status_code == 400

    def test_a_webhooks_secret_is_in_no_file_but_a_reference_is(self, api: Api) -> None:
        key = "whsec_" + base64.b64encode(b"k" * 24).decode()
        other = "whsec_" + base64.b64encode(b"x" * 24).decode()
        text = (
            "name: Hook\ntrigger: {type: webhook, config: {verification: standard, secret: '%s'}}"
        )
        (made,) = applied(api, text % key)
        assert key not in made["diff"]
        written = exported(api, made["id"])
        assert key not in written
        assert "********" in written
        for same in (text % key, written):
            assert [entry["action"] for entry in applied(api, same)] == ["unchanged"]
        (changed,) = applied(api, text % other)
        assert (changed["action"], "another" in changed["diff"]) == ("update", True)
        assert other not in changed["diff"]
        api.call("PUT", "/api/secrets/HOOK", {"value": key})
        applied(api, text % "{{secret.HOOK}}")
        assert "{{secret.HOOK}}" in exported(api, made["id"])

    def test_an_export_without_its_secret_is_refused_elsewhere(self, api: Api) -> None:
        config = {"verification": "header", "secret": "a-secret-value"}
        made = api.workflow(key="k", trigger={"type": "webhook", "config": config})["id"]
        text = exported(api, made)
        assert list(errors(send(api, text, role="STRANGER"))) == ["0.trigger.config.secret"]
        with unit_of_work() as session:
            assert len(session.scalars(select(Workflow.id)).all()) == 1


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("application/yaml", "name: Müller".encode("utf-8-sig")),
        ("application/yaml", "name: Müller".encode("utf-16")),
        ("application/yaml; charset=ISO-8859-1", "name: Müller".encode("latin-1")),
        ('text/yaml; charset="windows-1252"', "name: Müller".encode("cp1252")),
        # Both, and it says which.
        ("application/x-yaml;charset=iso-8859-1", "name: MÃ¼ller".encode("latin-1")),
    ],
)
def test_a_file_is_read_in_the_charset_that_it_says(api: Api, kind: str, content: bytes) -> None:
    headers = {"Authorization": f"Bearer {api.keys['ADMIN']}", "Content-Type": kind}
    answer = api.http.post("/api/workflows/import", content=content, headers=headers)
    (made,) = answer.json()["automations"]
    assert made["name"] == ("MÃ¼ller" if "x-yaml" in kind else "Müller")


@pytest.mark.parametrize("kind", ["application/yaml", "application/yaml; charset=nope"])
def test_a_file_that_is_not_in_its_charset_is_refused(api: Api, kind: str) -> None:
    headers = {"Authorization": f"Bearer {api.keys['ADMIN']}", "Content-Type": kind}
    content = b"name: M\xff\xffller"
    answer = api.http.post("/api/workflows/import", content=content, headers=headers)
    (said,) = errors(answer)["body"]
    assert said == (
        "says to be in the charset 'nope', which is not known" if "nope" in kind else "is not UTF-8"
    )
