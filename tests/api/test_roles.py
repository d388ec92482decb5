"""Every route of the app × every role × another workspace: who may do what, in one table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from starlette.routing import Route

from api_bridge.app import create_app
from automations.db.session import unit_of_work
from automations.db.tables import Workspace
from automations.domain.principals import RANKS
from tests import whole_tables
from tests.api.conftest import Api
from tests.api.roles import Needed, World

NEEDED = """
GET    /api/workflows/callback/{token}                           -      -
POST   /api/workflows/callback/{token}                           -      -
POST   /api/events                                               MEMBER events:write
GET    /api/events                                               VIEWER events:read
GET    /api/events/{event_id}                                    VIEWER events:read
POST   /api/events/{event_id}/replay                             ADMIN  events:write
POST   /api/workflows/send-email                                 MEMBER mail:send
GET    /api/workflows                                            VIEWER workflows:read
POST   /api/workflows                                            ADMIN  workflows:write
GET    /api/workflows/export                                     VIEWER workflows:read
GET    /api/workflows/{workflow_id}/export                       VIEWER workflows:read
POST   /api/workflows/import                                     ADMIN  workflows:write
GET    /api/workflows/stats                                      VIEWER workflows:read
GET    /api/workflows/{workflow_id}                              VIEWER workflows:read
PATCH  /api/workflows/{workflow_id}                              ADMIN  workflows:write
DELETE /api/workflows/{workflow_id}                              ADMIN  workflows:write
POST   /api/workflows/{workflow_id}/execute                      MEMBER workflows:execute
POST   /api/workflows/{workflow_id}/steps/{step_id}/test         MEMBER workflows:test
POST   /api/workflows/{workflow_id}/test                         MEMBER workflows:test
GET    /api/workflows/{workflow_id}/runs                         VIEWER runs:read
GET    /api/workflows/{workflow_id}/runs/export                  VIEWER runs:read
GET    /api/workflows/{workflow_id}/runs/{run_id}                VIEWER runs:read
POST   /api/workflows/{workflow_id}/runs/{run_id}/cancel         MEMBER runs:write
POST   /api/workflows/{workflow_id}/runs/replay                  ADMIN  runs:write
POST   /api/workflows/{workflow_id}/runs/{run_id}/replay         MEMBER runs:write
POST   /api/workflows/{workflow_id}/runs/{run_id}/retry          MEMBER runs:write
POST   /api/workflows/runs/{run_id}/resume                       MEMBER runs:resume
GET    /api/operators                                            VIEWER workflows:read
GET    /api/workflows/{workflow_id}/schedule                     VIEWER schedules:read
PUT    /api/webhooks/{token}                                     -      -
POST   /api/webhooks/{token}                                     -      -
POST   /api/workflows/{workflow_id}/rotate-webhook               ADMIN  webhooks:write
GET    /api/forms/requests/{token}                               -      -
POST   /api/forms/requests/{token}                               -      -
GET    /api/forms/{form_id}/public                               -      -
GET    /api/forms/{form_id}/public/sent                          -      -
GET    /api/forms/requests/{token}/sent                          -      -
POST   /api/forms/{form_id}/public                               -      -
GET    /api/forms                                                VIEWER forms:read
GET    /api/figures                                              VIEWER runs:read
POST   /api/forms                                                ADMIN  forms:write
GET    /api/forms/{form_id}                                      VIEWER forms:read
PATCH  /api/forms/{form_id}                                      ADMIN  forms:write
DELETE /api/forms/{form_id}                                      ADMIN  forms:write
POST   /api/submissions                                          MEMBER forms:submit
GET    /api/submissions                                          VIEWER forms:read
GET    /api/submissions/{submission_id}                          VIEWER forms:read
PATCH  /api/submissions/{submission_id}                          MEMBER forms:write
GET    /api/submissions/{submission_id}/snapshots                VIEWER forms:read
POST   /api/submissions/{submission_id}/approve                  MEMBER forms:write
POST   /api/submissions/{submission_id}/reject                   MEMBER forms:write
POST   /api/session                                              -      -
POST   /api/session/invitation                                   -      -
GET    /api/session                                              VIEWER session:read
DELETE /api/session                                              VIEWER session:write
PUT    /api/session/password                                     VIEWER session:write
GET    /api/members                                              VIEWER members:read
POST   /api/members                                              ADMIN  members:write
POST   /api/members/{member_id}/invitation                       ADMIN  members:write
PATCH  /api/members/{member_id}                                  ADMIN  members:write
DELETE /api/members/{member_id}                                  ADMIN  members:write
GET    /api/api-keys                                             ADMIN  api-keys:read
POST   /api/api-keys                                             ADMIN  api-keys:write
POST   /api/api-keys/{key_id}/rotate                             ADMIN  api-keys:write
DELETE /api/api-keys/{key_id}                                    ADMIN  api-keys:write
GET    /api/audit-logs                                           ADMIN  audit-logs:read
GET    /api/security-events                                      ADMIN  security-events:read
GET    /api/evidence                                             VIEWER evidence:read
GET    /api/evidence/verify                                      VIEWER evidence:read
GET    /api/evidence/{snapshot_id}                               VIEWER evidence:read
GET    /api/notifications                                        VIEWER notifications:read
POST   /api/notifications/mark-all-read                          VIEWER notifications:write
PATCH  /api/notifications/mark-all-read                          VIEWER notifications:write
PATCH  /api/notifications/{notification_id}                      VIEWER notifications:write
DELETE /api/notifications/{notification_id}                      VIEWER notifications:write
GET    /api/matter-templates                                     VIEWER matters:read
POST   /api/matter-templates                                     ADMIN  matters:write
GET    /api/matter-templates/{template_id}                       VIEWER matters:read
PUT    /api/matter-templates/{template_id}                       ADMIN  matters:write
DELETE /api/matter-templates/{template_id}                       ADMIN  matters:write
GET    /api/matters                                              VIEWER matters:read
POST   /api/matters                                              MEMBER matters:write
GET    /api/matters/{matter_id}                                  VIEWER matters:read
PATCH  /api/matters/{matter_id}                                  MEMBER matters:write
DELETE /api/matters/{matter_id}                                  MEMBER matters:write
POST   /api/matters/{matter_id}/advance                          MEMBER matters:write
POST   /api/matters/{matter_id}/goto                             MEMBER matters:write
POST   /api/matters/{matter_id}/steps/{step_id}/complete         MEMBER matters:write
POST   /api/matters/{matter_id}/steps/{step_id}/reject           MEMBER matters:write
GET    /api/document-templates                                   VIEWER documents:read
POST   /api/document-templates                                   ADMIN  documents:write
GET    /api/document-templates/{template_id}                     VIEWER documents:read
GET    /api/document-templates/{template_id}/content             VIEWER documents:read
PUT    /api/document-templates/{template_id}                     ADMIN  documents:write
DELETE /api/document-templates/{template_id}                     ADMIN  documents:write
GET    /api/documents                                            VIEWER documents:read
GET    /api/documents/{document_id}                              VIEWER documents:read
GET    /api/documents/{document_id}/content                      VIEWER documents:read
GET    /api/tables                                               VIEWER tables:read
POST   /api/tables                                               ADMIN  tables:write
GET    /api/tables/tree                                          VIEWER tables:read
GET    /api/tables/{table_id}                                    VIEWER tables:read
PUT    /api/tables/{table_id}                                    ADMIN  tables:write
DELETE /api/tables/{table_id}                                    ADMIN  tables:write
GET    /api/tables/{table_id}/stats                              VIEWER tables:read
POST   /api/tables/{table_id}/aggregate                          VIEWER tables:read
GET    /api/tables/{table_id}/rows                               VIEWER tables:read
POST   /api/tables/{table_id}/rows                               MEMBER tables:write
POST   /api/tables/{table_id}/rows/query                         VIEWER tables:read
POST   /api/tables/{table_id}/rows/import                        MEMBER tables:write
GET    /api/tables/{table_id}/rows/{row_id}                      VIEWER tables:read
PATCH  /api/tables/{table_id}/rows/{row_id}                      MEMBER tables:write
DELETE /api/tables/{table_id}/rows/{row_id}                      MEMBER tables:write
GET    /api/pipelines/connections                                VIEWER pipelines:read
POST   /api/pipelines/connections                                ADMIN  pipelines:write
POST   /api/pipelines/connections/test                           ADMIN  pipelines:write
GET    /api/pipelines/connections/{connection_id}                VIEWER pipelines:read
PATCH  /api/pipelines/connections/{connection_id}                ADMIN  pipelines:write
DELETE /api/pipelines/connections/{connection_id}                ADMIN  pipelines:write
GET    /api/pipelines/connections/{connection_id}/webhook-url    ADMIN  pipelines:write
POST   /api/pipelines/connections/{connection_id}/rotate-webhook ADMIN  pipelines:write
POST   /api/pipelines/webhooks/{token}                           -      -
POST   /api/pipelines/connections/{connection_id}/check          ADMIN  pipelines:write
POST   /api/pipelines/connections/{connection_id}/discover       ADMIN  pipelines:write
GET    /api/pipelines/connections/{connection_id}/runs           VIEWER pipelines:read
POST   /api/pipelines/connections/{connection_id}/runs           MEMBER pipelines:write
GET    /api/pipelines/connections/{connection_id}/runs/{sync_id} VIEWER pipelines:read
DELETE /api/pipelines/connections/{connection_id}/runs/{sync_id} MEMBER pipelines:write
GET    /api/pipelines/connector-types                            VIEWER pipelines:read
POST   /api/pipelines/run-all                                    MEMBER pipelines:write
GET    /api/secrets                                              ADMIN  secrets:read
PUT    /api/secrets/{name}                                       ADMIN  secrets:write
DELETE /api/secrets/{name}                                       ADMIN  secrets:write
GET    /api/integrations                                         ADMIN  integrations:read
POST   /api/integrations                                         ADMIN  integrations:write
GET    /api/integrations/{integration_id}                        ADMIN  integrations:read
PATCH  /api/integrations/{integration_id}                        ADMIN  integrations:write
DELETE /api/integrations/{integration_id}                        ADMIN  integrations:write
POST   /api/integrations/{integration_id}/test                   ADMIN  integrations:write
GET    /healthz                                                  -      -
GET    /readyz                                                   -      -
GET    /metrics                                                  -      -
GET    /console                                                  VIEWER session:read
GET    /console/start                                            VIEWER session:read
GET    /console/workflows/new                                    ADMIN  workflows:read
POST   /console/workflows/new                                    ADMIN  workflows:write
POST   /console/workflows/new/{slug}                             ADMIN  workflows:write
GET    /console/static/{name}                                    -      -
POST   /console/theme                                            VIEWER session:write
GET    /console/sign-in                                          -      -
POST   /console/sign-in                                          -      -
GET    /console/from-airflow                                     -      -
POST   /console/from-airflow                                     -      -
GET    /console/invitation/{token}                               -      -
POST   /console/invitation/{token}                               -      -
POST   /console/sign-out                                         VIEWER session:write
GET    /console/workflows                                        VIEWER workflows:read
GET    /console/workflows/{workflow_id}                          VIEWER workflows:read
GET    /console/workflows/{workflow_id}/versions                 VIEWER workflows:read
GET    /console/workflows/{workflow_id}/versions/{number}        VIEWER workflows:read
POST   /console/workflows/{workflow_id}/versions/{number}/restore ADMIN workflows:write
GET    /console/workflows/{workflow_id}/definition               VIEWER workflows:read
GET    /console/workflows/{workflow_id}/figures                  VIEWER runs:read
GET    /console/figures                                          VIEWER runs:read
GET    /console/workflows/{workflow_id}/export                   VIEWER workflows:read
GET    /console/workflows/{workflow_id}/run                      MEMBER workflows:read
POST   /console/workflows/{workflow_id}/execute                  MEMBER workflows:execute
POST   /console/workflows/{workflow_id}/status                   ADMIN  workflows:write
POST   /console/workflows/{workflow_id}/duplicate                ADMIN  workflows:write
GET    /console/workflows/{workflow_id}/edit                     ADMIN  workflows:read
POST   /console/workflows/{workflow_id}/edit                     ADMIN  workflows:write
POST   /console/workflows/{workflow_id}/edit/test                ADMIN  workflows:test
POST   /console/workflows/{workflow_id}/edit/try                 ADMIN  workflows:test
GET    /console/runs                                             VIEWER runs:read
POST   /console/runs/bulk                                        MEMBER runs:write
GET    /console/runs/{run_id}                                    VIEWER runs:read
GET    /console/runs/{run_id}/export                             VIEWER runs:read
GET    /console/runs/{run_id}/stream                             VIEWER runs:read
GET    /console/runs/{run_id}/steps/{node_id}                    VIEWER runs:read
POST   /console/runs/{run_id}/cancel                             MEMBER runs:write
POST   /console/runs/{run_id}/retry                              MEMBER runs:write
POST   /console/runs/{run_id}/replay                             MEMBER runs:write
POST   /console/runs/{run_id}/resume                             MEMBER runs:resume
GET    /console/approvals                                        VIEWER runs:read
POST   /console/approvals/bulk                                   MEMBER runs:resume
GET    /console/approvals/{run_id}                               VIEWER runs:read
POST   /console/approvals/{run_id}                               MEMBER runs:resume
GET    /console/events                                           VIEWER events:read
GET    /console/events/{event_id}                                VIEWER events:read
POST   /console/events/{event_id}/replay                         ADMIN  events:write
GET    /console/notifications                                    VIEWER notifications:read
GET    /console/submissions                                      VIEWER forms:read
GET    /console/submissions/{submission_id}                      VIEWER forms:read
POST   /console/submissions/{submission_id}/decide               MEMBER forms:write
GET    /console/forms                                            VIEWER forms:read
POST   /console/forms                                            ADMIN  forms:write
GET    /console/forms/{form_id}                                  VIEWER forms:read
GET    /console/forms/{form_id}/preview                          VIEWER forms:read
GET    /console/forms/{form_id}/edit                             ADMIN  forms:read
POST   /console/forms/{form_id}/edit                             ADMIN  forms:write
POST   /console/forms/{form_id}/public                           ADMIN  forms:write
POST   /console/forms/{form_id}/duplicate                        ADMIN  forms:write
POST   /console/forms/{form_id}/delete                           ADMIN  forms:write
GET    /console/documents                                        VIEWER documents:read
GET    /console/documents/{document_id}                          VIEWER documents:read
GET    /console/documents/{document_id}/content                  VIEWER documents:read
GET    /console/documents/{document_id}/view                     VIEWER documents:read
GET    /console/documents/templates                              VIEWER documents:read
POST   /console/documents/templates                              ADMIN  documents:write
GET    /console/documents/templates/{template_id}                VIEWER documents:read
POST   /console/documents/templates/{template_id}                ADMIN  documents:write
GET    /console/documents/templates/{template_id}/content        VIEWER documents:read
POST   /console/documents/templates/{template_id}/delete         ADMIN  documents:write
POST   /console/documents/templates/{template_id}/test           MEMBER documents:write
GET    /console/tables                                           VIEWER tables:read
GET    /console/tables/new                                       ADMIN  tables:read
POST   /console/tables/new                                       ADMIN  tables:write
GET    /console/tables/{table_id}                                VIEWER tables:read
GET    /console/tables/{table_id}/columns                        ADMIN  tables:read
POST   /console/tables/{table_id}/columns                        ADMIN  tables:write
POST   /console/tables/{table_id}/delete                         ADMIN  tables:write
GET    /console/tables/{table_id}/import                         MEMBER tables:read
POST   /console/tables/{table_id}/import                         MEMBER tables:write
POST   /console/tables/{table_id}/import/rows                    MEMBER tables:write
POST   /console/tables/{table_id}/import/discard                 MEMBER tables:write
GET    /console/tables/{table_id}/export                         VIEWER tables:read
GET    /console/tables/{table_id}/rows/new                       MEMBER tables:read
POST   /console/tables/{table_id}/rows                           MEMBER tables:write
POST   /console/tables/{table_id}/rows/delete                    MEMBER tables:write
GET    /console/tables/{table_id}/rows/{row_id}                  VIEWER tables:read
POST   /console/tables/{table_id}/rows/{row_id}                  MEMBER tables:write
GET    /console/matters                                          VIEWER matters:read
GET    /console/matters/list                                     VIEWER matters:read
GET    /console/matters/new                                      MEMBER matters:read
POST   /console/matters/new                                      MEMBER matters:write
POST   /console/matters/move                                     MEMBER matters:write
GET    /console/matters/{matter_id}                              VIEWER matters:read
POST   /console/matters/{matter_id}                              MEMBER matters:write
POST   /console/matters/{matter_id}/act                          MEMBER matters:write
POST   /console/matters/{matter_id}/cancel                       MEMBER matters:write
GET    /console/matters/boards/new                               ADMIN  matters:read
POST   /console/matters/boards/new                               ADMIN  matters:write
GET    /console/matters/boards/{template_id}                     ADMIN  matters:read
POST   /console/matters/boards/{template_id}                     ADMIN  matters:write
POST   /console/matters/boards/{template_id}/delete              ADMIN  matters:write
GET    /console/members                                          VIEWER members:read
POST   /console/members                                          ADMIN  members:write
POST   /console/members/{member_id}/invitation                   ADMIN  members:write
POST   /console/members/{member_id}/role                         ADMIN  members:write
POST   /console/members/{member_id}/remove                       ADMIN  members:write
GET    /console/secrets                                          ADMIN  secrets:read
POST   /console/secrets                                          ADMIN  secrets:write
POST   /console/secrets/{name}/delete                            ADMIN  secrets:write
GET    /console/integrations                                     ADMIN  integrations:read
GET    /console/integrations/new                                 ADMIN  integrations:read
POST   /console/integrations                                     ADMIN  integrations:write
GET    /console/integrations/{integration_id}                    ADMIN  integrations:read
POST   /console/integrations/{integration_id}                    ADMIN  integrations:write
POST   /console/integrations/{integration_id}/enabled            ADMIN  integrations:write
POST   /console/integrations/{integration_id}/test               ADMIN  integrations:write
POST   /console/integrations/{integration_id}/delete             ADMIN  integrations:write
GET    /console/api-keys                                         ADMIN  api-keys:read
POST   /console/api-keys                                         ADMIN  api-keys:write
POST   /console/api-keys/{key_id}/rotate                         ADMIN  api-keys:write
POST   /console/api-keys/{key_id}/revoke                         ADMIN  api-keys:write
GET    /console/security-events                                  ADMIN  security-events:read
GET    /console/security-events/export                           ADMIN  security-events:read
GET    /console/evidence                                         VIEWER evidence:read
GET    /console/evidence/verify                                  VIEWER evidence:read
GET    /console/evidence/{snapshot_id}                           VIEWER evidence:read
GET    /console/evidence/{snapshot_id}/download                  VIEWER evidence:read
GET    /console/pipelines                                        VIEWER pipelines:read
GET    /console/pipelines/new                                    ADMIN  pipelines:read
POST   /console/pipelines/new                                    ADMIN  pipelines:write
POST   /console/pipelines/new/fields                             ADMIN  pipelines:write
POST   /console/pipelines/sync                                   MEMBER pipelines:write
GET    /console/pipelines/{connection_id}                        VIEWER pipelines:read
GET    /console/pipelines/{connection_id}/edit                   ADMIN  pipelines:read
POST   /console/pipelines/{connection_id}/edit                   ADMIN  pipelines:write
POST   /console/pipelines/{connection_id}/edit/fields            ADMIN  pipelines:write
POST   /console/pipelines/{connection_id}/delete                 ADMIN  pipelines:write
POST   /console/pipelines/{connection_id}/records                MEMBER pipelines:write
POST   /console/pipelines/{connection_id}/webhook                ADMIN  pipelines:write
POST   /console/pipelines/{connection_id}/sync                   MEMBER pipelines:write
POST   /console/pipelines/{connection_id}/syncs/{sync_id}/stop   MEMBER pipelines:write
POST   /console/pipelines/{connection_id}/check                  ADMIN  pipelines:write
POST   /console/pipelines/{connection_id}/enabled                ADMIN  pipelines:write
GET    /console/mail                                             ADMIN  mail:read
GET    /console/audit/export                                     ADMIN  audit-logs:read
GET    /console/audit                                            ADMIN  audit-logs:read
POST   /console/notifications/read                               VIEWER notifications:write
POST   /console/notifications/{notification_id}/read             VIEWER notifications:write
"""
"""Method, path, the role and the scope that are needed; - for what anybody may do."""

PAGES = {"/", "/docs", "/docs/start.js", "/redoc", "/openapi.json"}
"""The description of the API, for everybody."""


NAMED_IN_BODY = {("POST", "/api/submissions"), ("POST", "/api/matters")}
"""Routes whose body, and not their address, says whose thing it is."""

OWN_NAMES = {
    "/api/secrets/{name}",
    "/console/secrets/{name}/delete",
    "/console/workflows/new/{slug}",
}
"""Addresses that hold a name of one's own choosing, or one for all, and no id."""

UNAUDITED = {
    ("POST", "/api/workflows/{workflow_id}/steps/{step_id}/test"),
    ("POST", "/api/workflows/{workflow_id}/test"),
    ("POST", "/api/tables/{table_id}/aggregate"),
    ("POST", "/api/tables/{table_id}/rows/query"),
    ("POST", "/api/integrations/{integration_id}/test"),
    ("POST", "/api/pipelines/connections/test"),
    ("POST", "/api/pipelines/connections/{connection_id}/check"),
    ("POST", "/api/pipelines/connections/{connection_id}/discover"),
    ("POST", "/api/pipelines/run-all"),
    ("POST", "/api/notifications/mark-all-read"),
    # The version that is in force is restored to what it is.
    ("POST", "/console/workflows/{workflow_id}/versions/{number}/restore"),
    # What is changed there is on record when it is saved.
    ("POST", "/console/workflows/{workflow_id}/edit"),
    ("POST", "/console/workflows/{workflow_id}/edit/try"),
    ("POST", "/console/integrations/{integration_id}/test"),
    ("POST", "/console/pipelines/{connection_id}/check"),
    ("POST", "/console/pipelines/{connection_id}/edit/fields"),
    ("POST", "/console/pipelines/sync"),
    ("POST", "/console/forms/{form_id}/edit"),
    # What comes out is kept nowhere.
    ("POST", "/console/documents/templates/{template_id}/test"),
    # Nothing was typed anew, or no file is kept.
    ("POST", "/console/tables/{table_id}/rows/{row_id}"),
    ("POST", "/console/tables/{table_id}/import/discard"),
    ("POST", "/console/matters/{matter_id}"),
    ("POST", "/console/notifications/read"),
    ("POST", "/console/notifications/{notification_id}/read"),
    ("PATCH", "/api/notifications/mark-all-read"),
    ("PATCH", "/api/notifications/{notification_id}"),
    ("DELETE", "/api/notifications/{notification_id}"),
}
"""What changes nothing here, or only what somebody has read."""

REVEALING = {("GET", "/api/pipelines/connections/{connection_id}/webhook-url")}
"""What only reads, but is on record."""


def _needed() -> Iterator[Needed]:
    for line in NEEDED.strip().splitlines():
        method, path, role, scope = line.split()
        yield Needed(method, path, *(None if word == "-" else word for word in (role, scope)))


ROUTES = list(_needed())
KEPT = [route for route in ROUTES if route.is_kept]
ROLES = sorted(RANKS, key=lambda role: RANKS[role])


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


def everything() -> dict[str, Any]:
    """All that the database holds, but what is noted of refusals and of the use of keys."""
    with unit_of_work() as session:
        rows = "md5(coalesce(string_agg(t::text, '' ORDER BY t::text), ''))"
        looked_at = {
            name: f"SELECT {rows} FROM {name} t"
            for name in set(whole_tables.names(session)) - {"security_event", "rate_limit"}
        }
        looked_at["audit_log"] += " WHERE action <> 'api_key.use'"
        looked_at["api_key"] = (
            "SELECT string_agg(token_hash || coalesce(revoked_at::text, ''), ' ' ORDER BY id) "
            "FROM api_key"
        )
        # One statement for all: it is asked after each of hundreds of requests.
        columns = ", ".join(f'({query}) AS "{name}"' for name, query in looked_at.items())
        return dict(session.execute(text(f"SELECT {columns}")).mappings().one())


def lines_of_the_audit_log() -> int:
    with unit_of_work() as session:
        lines = "SELECT count(*) FROM audit_log WHERE action <> 'api_key.use'"
        return int(session.scalar(text(lines)) or 0)


def test_the_table_names_every_route_and_no_other() -> None:
    routes = [route for route in create_app().routes if isinstance(route, Route | APIRoute)]
    there = {
        (method, route.path)
        for route in routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert {route.key for route in ROUTES} == there
    assert {route.path for route in routes if not isinstance(route, APIRoute)} == PAGES


def test_without_a_key_no_kept_route_answers(world: World) -> None:
    before = everything()
    for route in KEPT:
        for headers in ({}, {"Authorization": "Bearer sk_guess"}, {"Authorization": "Basic eDp5"}):
            answer = world.api.http.request(route.method, world.path(route), headers=headers)
            assert answer.status_code == 401, route
            assert answer.json()["code"] == "UNAUTHORIZED"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert everything() == before


def test_a_role_below_the_needed_one_is_refused_and_writes_nothing(world: World) -> None:
    before = everything()
    for route in KEPT:
        for role in ROLES[: RANKS[str(route.role)]]:
            answer = world.call(route, role)
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), (route, role)
            assert str(route.role) in answer.json()["error"]
    assert everything() == before


@pytest.mark.parametrize("role", ROLES)
def test_the_needed_role_and_those_above_may(world: World, role: str) -> None:
    """Reads first, then writes, and what takes things away at last, the inner ones first."""
    rank = {"GET": 0, "POST": 1, "PATCH": 2, "PUT": 2, "DELETE": 3}
    # These two end what the others need: by then those have been asked.
    last = {
        "/api/workflows/{workflow_id}/runs/{run_id}/cancel": 1,
        "/console/runs/{run_id}/cancel": 2,
    }
    order = sorted(
        KEPT, key=lambda r: (rank[r.method], last.get(r.path, 0), -r.path.count("/"), r.path)
    )
    for route in order:
        if RANKS[role] < RANKS[str(route.role)]:
            continue
        before, audited = everything(), lines_of_the_audit_log()
        answer = world.call(route, role)
        assert answer.status_code not in (401, 403, 404, 405), (route, answer.text)
        assert answer.status_code < 500, (route, answer.text)
        reads = route.method == "GET" and route.key not in REVEALING
        if reads or not answer.is_success:
            assert everything() == before, route
        elif route.key not in UNAUDITED:
            assert lines_of_the_audit_log() > audited, route


def test_things_of_another_workspace_are_not_there_and_stay_as_they_are(world: World) -> None:
    """404 and never 403, which would say that there is such a thing."""
    before = everything()
    for route in KEPT:
        if route.path in OWN_NAMES or not (route.ids or route.key in NAMED_IN_BODY):
            continue
        answer = world.call(route, "STRANGER")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), route
    assert everything() == before


def test_lists_of_another_workspace_hold_nothing_of_this_one(world: World) -> None:
    ours = set(world.ids.values()) - {"A_SECRET", world.ids["notification_id of STRANGER"]}
    with unit_of_work() as session:
        ours.add(session.query(Workspace.id).filter(Workspace.slug == "default").one()[0])
    for route in KEPT:
        if route.method == "GET" and not route.ids:
            answer = world.call(route, "STRANGER")
            assert answer.status_code == 200, route
            assert not [id_ for id_ in ours if len(id_) > 20 and id_ in answer.text], route


def test_a_name_of_ones_own_is_another_thing_in_another_workspace(world: World) -> None:
    api = world.api
    assert api.call("DELETE", "/api/secrets/A_SECRET", role="STRANGER").status_code == 404
    api.call("PUT", "/api/secrets/A_SECRET", {"value": "another-value"}, role="STRANGER")
    mine, other = (api.call("GET", "/api/secrets", role=r).json()[0] for r in ("OWNER", "STRANGER"))
    assert mine["name"] == other["name"]
    assert mine["fingerprint"] != other["fingerprint"]


def limited(api: Api, scope: str) -> None:
    """A key LIMITED of role OWNER with one scope."""
    body = {"name": "limited", "role": "OWNER", "scopes": [scope]}
    made = api.call("POST", "/api/api-keys", body)
    assert made.status_code == 201, made.text
    api.keys["LIMITED"] = made.json()["token"]


def ask(api: Api, route: Needed, body: Any = None) -> Any:
    """Ask for what is nowhere: only whether one may ask is of interest."""
    path = re.sub(r"{\w+}", "nothing", route.path)
    # Where a form leads, other scopes may be needed.
    return api.call(route.method, path, body, role="LIMITED", follow_redirects=False)


# One scope more than needed, so that the first one's own routes are asked for, too.
@pytest.mark.parametrize("scope", ["workflows:read", "schedules:read"])
def test_a_limited_key_is_told_which_scope_a_route_needs(api: Api, scope: str) -> None:
    limited(api, scope)
    before = everything()
    for route in KEPT:
        if route.scope != scope:
            answer = ask(api, route)
            assert answer.status_code == 403, route
            assert f"scope {route.scope};" in answer.json()["error"], route
    assert everything() == before


def test_each_scope_opens_its_routes(api: Api) -> None:
    for scope in sorted({str(route.scope) for route in KEPT}):
        limited(api, scope)
        for route in KEPT:
            if route.scope == scope:
                answer = ask(api, route, {"no": "such field"})
                known = (200, 202, 204, 303, 400, 404, 409, 415)
                assert answer.status_code in known, (route, answer.text)
