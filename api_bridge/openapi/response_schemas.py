"""JSON schemas of the API's answers, made from the client's types; schemathesis checks them."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from automations_client import figures, shapes

RESPONSES: dict[tuple[str, str], Any] = {
    ("/api/workflows", "get"): list[shapes.Workflow],
    ("/api/workflows", "post"): shapes.Workflow,
    ("/api/workflows/import", "post"): shapes.AppliedFile,
    ("/api/workflows/stats", "get"): shapes.Stats,
    ("/api/workflows/{workflow_id}", "get"): shapes.Workflow,
    ("/api/workflows/{workflow_id}", "patch"): shapes.UpdatedWorkflow,
    ("/api/workflows/{workflow_id}/execute", "post"): shapes.StartedRun,
    ("/api/workflows/{workflow_id}/runs/export", "get"): shapes.Export,
    ("/api/workflows/{workflow_id}/runs/replay", "post"): shapes.ReplayedRuns,
    ("/api/workflows/{workflow_id}/runs/{run_id}/cancel", "post"): shapes.RunState,
    ("/api/workflows/{workflow_id}/runs/{run_id}/replay", "post"): shapes.ReplayedRun,
    ("/api/workflows/{workflow_id}/runs/{run_id}/retry", "post"): shapes.RunState,
    ("/api/workflows/runs/{run_id}/resume", "post"): shapes.RunState,
    ("/api/events/{event_id}", "get"): shapes.EventDetail,
    ("/api/events/{event_id}/replay", "post"): shapes.Event,
    ("/api/figures", "get"): figures.Figures,
    ("/api/forms", "get"): list[shapes.Form],
    ("/api/forms", "post"): shapes.Form,
    ("/api/forms/{form_id}", "get"): shapes.Form,
    ("/api/forms/{form_id}", "patch"): shapes.Form,
    ("/api/submissions", "get"): list[shapes.Submission],
    ("/api/submissions", "post"): shapes.Submission,
    ("/api/submissions/{submission_id}", "get"): shapes.Submission,
    ("/api/submissions/{submission_id}", "patch"): shapes.Submission,
    ("/api/submissions/{submission_id}/snapshots", "get"): list[shapes.Snapshot],
    ("/api/submissions/{submission_id}/approve", "post"): shapes.Submission,
    ("/api/submissions/{submission_id}/reject", "post"): shapes.Submission,
    ("/api/tables", "get"): list[shapes.Table],
    ("/api/tables", "post"): shapes.Table,
    ("/api/tables/tree", "get"): list[shapes.TableGroup],
    ("/api/tables/{table_id}", "get"): shapes.Table,
    ("/api/tables/{table_id}", "put"): shapes.Table,
    ("/api/tables/{table_id}/stats", "get"): shapes.TableStats,
    ("/api/tables/{table_id}/aggregate", "post"): shapes.Aggregate,
    ("/api/tables/{table_id}/rows", "post"): shapes.Row,
    ("/api/tables/{table_id}/rows/import", "post"): shapes.ImportedRows,
    ("/api/tables/{table_id}/rows/{row_id}", "get"): shapes.Row,
    ("/api/tables/{table_id}/rows/{row_id}", "patch"): shapes.Row,
    ("/api/pipelines/connections", "get"): list[shapes.Connection],
    ("/api/pipelines/connections", "post"): shapes.Connection,
    ("/api/pipelines/connections/{connection_id}", "get"): shapes.Connection,
    ("/api/pipelines/connections/{connection_id}", "patch"): shapes.Connection,
    ("/api/pipelines/connections/{connection_id}/runs/{sync_id}", "get"): shapes.Sync,
    ("/api/pipelines/connections/{connection_id}/webhook-url", "get"): shapes.WebhookUrl,
    ("/api/pipelines/connections/{connection_id}/rotate-webhook", "post"): shapes.WebhookUrl,
    ("/api/members", "get"): list[shapes.Member],
    ("/api/members", "post"): shapes.Member,
    ("/api/members/{member_id}", "patch"): shapes.Member,
    ("/api/api-keys", "get"): list[shapes.ApiKey],
    ("/api/api-keys", "post"): shapes.NewApiKey,
    ("/api/api-keys/{key_id}/rotate", "post"): shapes.NewApiKey,
    ("/api/secrets", "get"): list[shapes.Secret],
    ("/api/secrets/{name}", "put"): shapes.Secret,
    ("/api/integrations", "get"): list[shapes.Integration],
    ("/api/integrations", "post"): shapes.Integration,
    ("/api/integrations/{integration_id}", "get"): shapes.Integration,
    ("/api/integrations/{integration_id}", "patch"): shapes.Integration,
    ("/api/integrations/{integration_id}/test", "post"): shapes.Verdict,
}
"""By path and method."""


def schemas(ref_template: str) -> tuple[dict[tuple[str, str], Any], dict[str, Any]]:
    """The schema of each answer, and the components that they refer to."""
    parts: dict[str, Any] = {}
    by_key = {}
    for key, kind in RESPONSES.items():
        schema = TypeAdapter(kind).json_schema(ref_template=ref_template)
        parts |= schema.pop("$defs", {})
        if "properties" in schema:
            parts[schema["title"]] = schema
            schema = {"$ref": ref_template.format(model=schema["title"])}
        by_key[key] = schema
    return by_key, parts
