"""Records: security events and the audit log as files, evidence that is verified, caught mail."""

from __future__ import annotations

import hashlib
import json

from api_bridge.console import queries
from automations.db.session import unit_of_work
from automations.db.tables import EvidenceSnapshot, SecurityEvent
from automations.domain.statuses import Severity
from automations.services.audit import security_events
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.environment import Environment


def types(browser: Browser) -> list[str]:
    return [str(kind) for kind in browser.root.xpath("//td[@data-label='Type']/code/text()")]


class TestSecurityEvents:
    def test_they_are_filtered(self, owner: Browser, there: Sample) -> None:
        security_events.note("webhook.forged", workspace_id=there.workspace)
        for query, found in {
            "": ["webhook.forged", "auth.failed"],
            "severity=HIGH": ["auth.failed"],
            "type=webhook.forged&since=hour": ["webhook.forged"],
            "who=nobody": [],
            "ip=192.0.2.9": [],
        }.items():
            owner.open(f"/console/security-events?{query}")
            assert types(owner) == found, query
        assert owner.open("/console/security-events?severity=GRAVE").status_code == 400

    def test_a_file_has_what_was_filtered_page_after_page(
        self, owner: Browser, there: Sample
    ) -> None:
        with unit_of_work() as session:
            for number in range(1_200):
                session.add(
                    SecurityEvent(
                        workspace_id=there.workspace,
                        type="flood",
                        severity=Severity.INFO,
                        actor=str(number),
                        details={},
                    )
                )
        owner.open("/console/security-events?type=flood")
        (link,) = owner.root.xpath("//a[@download]/@href")
        answer = owner.open(link)
        assert "attachment" in answer.headers["content-disposition"]
        file = json.loads(answer.text)
        found = file["securityEvents"]
        assert {security_event["actor"] for security_event in found} == {
            str(number) for number in range(1_200)
        }
        assert file["pagination"] == {"limit": 1_200, "nextCursor": None}

    def test_where_nothing_was_refused_the_page_says_what_would_be_here(
        self, owner: Browser
    ) -> None:
        with unit_of_work() as session:
            session.query(SecurityEvent).delete()
        owner.open("/console/security-events")
        assert "Nothing was refused" in owner.text


def test_the_audit_log_is_a_file_too(owner: Browser, there: Sample) -> None:
    owner.open("/console/audit?action=secret.set")
    (link,) = owner.root.xpath("//a[@download]/@href")
    file = json.loads(owner.open(link).text)
    found = [(audit_log["action"], audit_log["resource"]["id"]) for audit_log in file["auditLogs"]]
    assert found == [("secret.set", "REGISTRY_KEY")]
    assert file["pagination"]["nextCursor"] is None


def test_a_file_says_from_where_on_lines_are_left_out() -> None:
    lines = range(queries.MAX_EXPORTED + 1)

    def page_after(cursor: str | None, size: int) -> tuple[range, str | None]:
        end = int(cursor or 0) + size
        return lines[end - size : end], str(end) if end < len(lines) else None

    found, following = queries.whole(page_after)
    assert list(found) == list(lines[:-1])
    assert page_after(following, 1) == (lines[-1:], None)


class TestEvidence:
    def test_a_chain_that_holds_is_said_to_hold(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        viewer = browsers["VIEWER"]
        viewer.open("/console/evidence")
        (link,) = viewer.root.xpath("//a[contains(@href, 'verify')]/@href")
        viewer.open(link)
        assert "The chain holds: 2 snapshots were recomputed." in viewer.text
        with unit_of_work() as session:
            last = session.get_one(EvidenceSnapshot, there.things["AUDIT_LOGS"])
            assert last.chain_sha256 in viewer.text

    def test_what_was_changed_is_found(self, owner: Browser, there: Sample) -> None:
        with unit_of_work() as session:
            first = session.get_one(EvidenceSnapshot, there.things["ORG_MEMBERS"])
            first.content = b"[]"
        owner.open("/console/evidence/verify")
        assert "The chain does not hold: snapshot 1 has another content" in owner.text
        assert f"/console/evidence/{there.things['ORG_MEMBERS']}" in owner.answer.text

    def test_its_file_has_the_hash_that_is_shown(self, owner: Browser, there: Sample) -> None:
        page = f"/console/evidence/{there.things['ORG_MEMBERS']}"
        owner.open(page)
        assert "OWNER" in owner.text
        (run,) = owner.root.xpath("//dt[.='Captured by run']/following-sibling::dd[1]/a")
        assert run.text == "KYC review"
        shown = owner.answer.text
        (link,) = owner.root.xpath("//a[@download]/@href")
        content = owner.open(link).content
        assert hashlib.sha256(content).hexdigest() in shown
        assert len(json.loads(content)) == 4

    def test_what_is_for_administrators_is_linked_for_them_alone(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        page = f"/console/evidence/{there.things['AUDIT_LOGS']}"
        for role, may in (("ADMIN", True), ("MEMBER", False)):
            browser = browsers[role]
            answer = browser.open("/console/evidence")
            assert (page in answer.text) is may
            assert browser.open(page).status_code == (200 if may else 403)
            assert browser.open(f"{page}/download").status_code == (200 if may else 403)

    def test_they_are_filtered_by_what_they_are_of(self, owner: Browser) -> None:
        owner.open("/console/evidence?source=ORG_MEMBERS")
        assert owner.root.xpath("//td[@data-label='Snapshot']/a/text()") == ["Who has access"]
        assert owner.open("/console/evidence?source=MOON").status_code == 400


class TestCaughtMail:
    def test_who_administers_is_led_to_it_while_it_runs(
        self, owner: Browser, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_MAIL_TOKEN="open-sesame")
        owner.open("/console/mail")
        (link,) = owner.root.xpath("//a[@rel='noreferrer noopener']/@href")
        assert link.endswith("/open-sesame/")
        assert "/console/mail" in owner.root.xpath("//header//nav//a/@href")

    def test_nobody_is_led_there_where_mail_goes_out(
        self, owner: Browser, environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_MAIL_TOKEN="open-sesame", AUTOMATIONS_SMTP_HOST="mail.example")
        answer = owner.open("/console/mail")
        assert "open-sesame" not in answer.text
        assert "/console/mail" not in owner.root.xpath("//header//nav//a/@href")

    def test_others_do_not_learn_its_address(
        self, browsers: dict[str, Browser], environment: Environment
    ) -> None:
        environment.set(AUTOMATIONS_MAIL_TOKEN="open-sesame")
        answer = browsers["MEMBER"].open("/console/mail")
        assert (answer.status_code, "open-sesame" in answer.text) == (403, False)
