"""Secrets, integrations and API keys: set, used, taken away, and never shown again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from automations.db.session import unit_of_work
from automations.db.tables import AuditLog
from automations.services.access import api_keys
from automations.services.integrations import integrations, secrets
from automations.services.workflows import workflows
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.console.things import MAIL_SERVER, TOKEN
from tests.doubles import ports


def names(there: Sample) -> set[str]:
    return {secret.name for secret in secrets.list_all(there.workspace)}


def cells(browser: Browser, label: str) -> list[str]:
    """What stands in a column of the page's list."""
    found = browser.root.xpath(f"//td[@data-label='{label}']")
    return [" ".join(" ".join(cell.itertext()).split()) for cell in found]


class TestSecrets:
    def test_one_is_set_replaced_and_deleted(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/secrets")
        owner.press("/console/secrets", -1, name="API_KEY", value="first value")
        assert "Secret set." in owner.text
        assert secrets.read(there.workspace, {"API_KEY"}) == {"API_KEY": "first value"}
        owner.press("/console/secrets", 0, value="line 1\r\nline 2")
        assert "New value set" in owner.text
        assert secrets.read(there.workspace, {"API_KEY"}) == {"API_KEY": "line 1\nline 2"}
        owner.press("/console/secrets/API_KEY/delete")
        assert names(there) == {"REGISTRY_KEY"}

    def test_its_value_stands_on_no_page(self, owner: Browser, there: Sample) -> None:
        page = owner.open("/console/secrets")
        assert "REGISTRY_KEY" in page.text
        assert TOKEN not in page.text
        answer = owner.press("/console/secrets", -1, name="no name", value="typed-just-now")
        assert answer.status_code == 400
        assert "capital letters" in owner.text
        assert "typed-just-now" not in answer.text

    def test_none_is_written_over_by_mistake(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/secrets")
        answer = owner.press("/console/secrets", -1, name="REGISTRY_KEY", value="another value")
        assert (answer.status_code, "is taken" in owner.text) == (400, True)
        assert secrets.read(there.workspace, {"REGISTRY_KEY"}) == {"REGISTRY_KEY": TOKEN}

    def test_whoever_changed_it_last_is_named(self, browsers: dict[str, Browser]) -> None:
        admin = browsers["ADMIN"]
        admin.open("/console/secrets")
        admin.press("/console/secrets", -1, name="API_KEY", value="first value")
        changed = dict(zip(cells(admin, "Name"), cells(admin, "Last changed"), strict=True))
        assert "by admin@b.example" in changed["API_KEY"]

    def test_what_uses_it_is_named_and_what_is_missing(self, owner: Browser, there: Sample) -> None:
        config = {
            "method": "GET",
            "url": "https://a.example/{{ secret.IN_A_TEMPLATE }}",
            "auth": {"type": "bearer", "secret": "REGISTRY_KEY"},
        }
        step = {"id": "call", "name": "Call", "type": "http_request", "config": config}
        body = {"name": "Caller", "steps": [step]}
        workflows.create(there.people["OWNER"], body, ports())
        owner.open("/console/secrets")
        used = dict(zip(cells(owner, "Name"), cells(owner, "Used by"), strict=True))
        assert used == {"REGISTRY_KEY": "Caller Draft"}
        missing = owner.root.xpath("//div[@class='note']//code/text()")
        assert missing == ["ERP_TOKEN", "IN_A_TEMPLATE"], "a pipeline and a step name them"
        owner.open("/console/secrets?name=ERP_TOKEN")
        assert owner.root.get_element_by_id("name").value == "ERP_TOKEN"

    def test_an_empty_page_says_how_to_begin(self, owner: Browser, there: Sample) -> None:
        secrets.delete(there.workspace, "REGISTRY_KEY")
        owner.open("/console/secrets")
        assert "name it in a step: {{secret.API_KEY}}" in owner.text


class TestIntegrations:
    def test_one_is_set_up_and_its_credentials_are_not_shown(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open("/console/integrations/new?type=AI_PROVIDER")
        typed = {
            "name": "Models",
            "config.provider": "openai",
            "config.model": "small",
            "credentials.apiKey": "sk-secret-key",
        }
        answer = owner.press("/console/integrations", typed=typed)
        assert "Integration set up." in owner.text
        assert "sk-secret-key" not in answer.text
        made = integrations.get(there.workspace, owner.path.rpartition("/")[2])
        assert (made.name, dict(made.config)) == (
            "Models",
            {"provider": "openai", "model": "small"},
        )
        kept = integrations.credentials_of(there.workspace, "AI_PROVIDER")
        assert kept is not None
        assert kept[1] == {"apiKey": "sk-secret-key"}

    def test_what_is_wrong_stands_at_its_field_and_the_rest_stays(
        self, owner: Browser, there: Sample
    ) -> None:
        owner.open("/console/integrations/new?type=EMAIL_PROVIDER")
        typed = {
            "name": "Mail",
            "config.host": "mail.example",
            "config.fromEmail": "nobody",
            "config.port": "70000",
            "credentials.username": "u",
            "credentials.password": "hidden-again",
        }
        answer = owner.press("/console/integrations", typed=typed)
        assert answer.status_code == 400
        assert "hidden-again" not in answer.text
        (sender,) = owner.root.xpath("//input[@name='config.fromEmail']")
        assert sender.get("aria-invalid") == "true"
        assert owner.root.xpath("//input[@name='config.host']/@value") == ["mail.example"]
        assert owner.root.xpath("//input[@name='config.port']/@aria-invalid") == ["true"]

    def test_a_name_that_is_taken_is_said_there(self, owner: Browser) -> None:
        owner.open("/console/integrations/new?type=WEBHOOK")
        answer = owner.press("/console/integrations", typed={"name": "Company mail"})
        assert (answer.status_code, "Another integration is named" in owner.text) == (409, True)

    def test_who_comes_second_overwrites_nothing(self, owner: Browser, there: Sample) -> None:
        service = there.things["integration"]
        owner.open(f"/console/integrations/{service}")
        integrations.update(there.workspace, service, {"name": "Theirs"})
        answer = owner.press(
            f"/console/integrations/{service}", typed={"config.fromName": "The robot"}
        )
        assert answer.status_code == 409
        assert "Somebody else has changed the integration 'Theirs' meanwhile" in owner.text
        assert owner.root.xpath("//input[@name='config.fromName']/@value") == ["The robot"]
        integration = integrations.get(there.workspace, service)
        assert (integration.name, "fromName" in integration.config) == ("Theirs", False)

    def test_credentials_stay_as_they_are_unless_they_are_given_or_forgotten(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"/console/integrations/{there.things['integration']}"
        before = integrations.get(there.workspace, there.things["integration"])
        owner.open(page)
        owner.press(page, typed={"config.fromName": "The robot"})
        after = integrations.get(there.workspace, there.things["integration"])
        assert after.config == {**MAIL_SERVER, "security": "starttls", "fromName": "The robot"}
        assert after.fingerprint == before.fingerprint
        answer = owner.press(page, typed={"config.host": "elsewhere.example"})
        assert (answer.status_code, "must be given again" in owner.text) == (400, True)
        owner.open(page)
        owner.press(page, forget="yes")
        after = integrations.get(there.workspace, there.things["integration"])
        assert after.fingerprint is None

    def test_one_is_turned_off_tried_and_deleted(self, owner: Browser, there: Sample) -> None:
        page = f"/console/integrations/{there.things['integration']}"
        owner.open(page)
        owner.press(f"{page}/enabled")
        assert not integrations.get(there.workspace, there.things["integration"]).enabled
        owner.press(f"{page}/test")
        assert owner.answer.status_code == 200
        assert "It does not answer as it should." in owner.text
        owner.press(f"{page}/delete")
        assert integrations.list_all(there.workspace) == []
        assert "No services yet" in owner.text

    def test_the_automations_that_act_by_it_are_named(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/integrations")
        assert cells(owner, "Used by") == ["Nothing yet"], "no mail goes by it"
        changes = {"site_email_provider": True}
        integrations.update(there.workspace, there.things["integration"], changes)
        owner.open("/console/integrations")
        assert cells(owner, "Used by") == ["KYC review Monthly evidence"]

    def test_any_configuration_is_written_as_json(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/integrations/new?type=WEBHOOK")
        typed = {"name": "CRM", "config": "[1]"}
        assert owner.press("/console/integrations", typed=typed).status_code == 400
        assert owner.root.get_element_by_id("config").value.strip() == "[1]"
        typed = {"config": '{"url": "https://crm.example"}', "credentials": '{"key": "abc"}'}
        owner.press("/console/integrations", typed=typed)
        made = integrations.get(there.workspace, owner.path.rpartition("/")[2])
        assert dict(made.config) == {"url": "https://crm.example"}
        assert made.fingerprint is not None


class TestApiKeys:
    def test_one_is_made_shown_once_and_gets_in(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/api-keys")
        day = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
        answer = owner.press(
            "/console/api-keys",
            typed={"name": "Build", "role": "VIEWER", "expires": day, "limited": "yes"},
            scope="runs:read",
        )
        (token,) = owner.root.xpath("//div[@class='note good']//code/text()")
        assert answer.headers["cache-control"] == "no-store"
        principal = api_keys.authenticate(token)
        assert (principal.name, principal.role, list(principal.scopes or ())) == (
            "Build",
            "VIEWER",
            ["runs:read"],
        )
        (made,) = [
            api_key
            for api_key in api_keys.page_after(there.workspace, None, 100)[0]
            if api_key.name == "Build"
        ]
        assert made.expires_at is not None
        assert made.expires_at.date().isoformat() == day
        assert token not in owner.open("/console/api-keys").text

    def test_another_token_takes_the_place_of_the_one_before(
        self, owner: Browser, there: Sample
    ) -> None:
        page = f"/console/api-keys/{there.things['key']}"
        owner.open("/console/api-keys")
        owner.press(f"{page}/rotate", grace="day")
        (token,) = owner.root.xpath("//div[@class='note good']//code/text()")
        assert api_keys.authenticate(token).name == "Nightly export"
        assert "Old token works until" in owner.text

    def test_a_revoked_one_is_gone(self, owner: Browser, there: Sample) -> None:
        owner.open("/console/api-keys")
        owner.press(f"/console/api-keys/{there.things['key']}/revoke")
        assert "Key revoked" in owner.text
        assert api_keys.page_after(there.workspace, None, 100)[0] == []

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ({"name": ""}, "must have 1 to 200 characters"),
            ({"name": "x", "expires": "2020-01-01"}, "must be in the future"),
            ({"name": "x", "expires": "soon"}, "must be a day"),
            ({"name": "x", "limited": "yes"}, "choose one at least"),
            ({"name": "x", "role": "KING"}, "must be one of"),
        ],
    )
    def test_what_is_wrong_is_said_and_none_is_made(
        self, owner: Browser, there: Sample, typed: dict[str, str], said: str
    ) -> None:
        owner.open("/console/api-keys")
        answer = owner.press("/console/api-keys", typed=typed)
        assert (answer.status_code, said in owner.text) == (400, True)
        assert len(api_keys.page_after(there.workspace, None, 100)[0]) == 1

    def test_nobody_is_offered_a_key_above_their_own_role(
        self, browsers: dict[str, Browser], there: Sample
    ) -> None:
        owner = there.people["OWNER"]
        api_keys.create(
            owner, name="Strong", role="OWNER", scopes=None, expires_at=None, member_id=None
        )
        admin = browsers["ADMIN"]
        admin.open("/console/api-keys")
        assert "OWNER" not in admin.root.xpath("//select[@name='role']/option/@value")
        assert len([action for action in admin.actions() if action.endswith("/revoke")]) == 1


def test_each_change_is_on_record(owner: Browser, there: Sample) -> None:
    owner.open("/console/secrets")
    owner.press("/console/secrets", -1, name="API_KEY", value="first value")
    with unit_of_work() as session:
        lines = session.query(AuditLog).filter(AuditLog.resource_id == "API_KEY").all()
        assert [(line.action, line.actor) for line in lines] == [
            ("secret.set", there.emails["OWNER"])
        ]
