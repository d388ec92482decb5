"""The builder's page: the flow of a draft, and beside it what is open of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.console import responses, texts, urls
from api_bridge.console.form_data import text
from api_bridge.console.views import (
    available_data,
    draft,
    draft_texts,
    flow,
    open_panel,
    schema_fields,
    step_inputs,
    trials,
    triggers,
    words,
)
from api_bridge.console.views.available_data import Preview
from api_bridge.console.views.open_panel import OpenPanel
from api_bridge.console.views.schema_fields import Spec
from api_bridge.console.views.step_inputs import Input
from api_bridge.public_pages import shown_values
from automations.definitions import editing
from automations.definitions.triggers import TRIGGER_TYPES
from automations.domain.principals import Principal
from automations.domain.workflows import WorkflowFilter
from automations.execution.recording import output_of
from automations.execution.step_tests import StepTestResult
from automations.execution.trials import Trial
from automations.kit.values import JSON, Errors
from automations.services.documents import templates as document_templates
from automations.services.forms import forms
from automations.services.integrations import secrets
from automations.services.matters import templates as matter_templates
from automations.services.runs import samples
from automations.services.tables import tables
from automations.services.workflows import overviews, uses
from automations.services.workflows.edits import Edit
from automations.steps.base import Subject
from automations.steps.outcomes import Branch, Fail, find_wait
from automations.steps.registry import STEP_TYPES

_NAME = Spec("name", "name", "Name", "", "text", required=True, first=True)
_MAX_CHOICES = 200


@dataclass(frozen=True, slots=True)
class PageState:
    """What the page is to show.

    Args:
        refused: why nothing was done.
        wrong: what keeps it from being saved, beside what is known of the draft.
        form: what was typed, where it could not be kept.
    """

    edit: Edit
    at: str
    refused: str | None = None
    wrong: Errors = field(default_factory=dict)
    form: FormData | None = None
    tested: StepTestResult | None = None
    tried: Trial | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """What templates find where something is open."""

    run_id: str | None
    names: Mapping[str, JSON]
    secrets: Sequence[str]
    sample: Mapping[str, JSON]


def address(workflow_id: str, at: str) -> str:
    """Where the builder shows something of an automation."""
    query = f"?at={quote(at, safe='./')}" if at else ""
    return f"{urls.HOME}/{workflow_id}/edit{query}"


def specs_of(kind: str) -> list[Spec]:
    """The fields of a step of a type."""
    own = schema_fields.step_specs(kind) if kind in STEP_TYPES else ()
    return [_NAME, *own, *schema_fields.common_specs()]


def last_run(caller: Principal, edit: Edit) -> str | None:
    """The run whose data a step is tested with."""
    return samples.last(caller.workspace_id, edit.workflow_id, edit.definition).run_id


def data_of_last_run(caller: Principal, edit: Edit) -> Mapping[str, JSON]:
    """What is shown as sample data where somebody has given none."""
    return _data(caller, replace(edit, sample={}), OpenPanel("sample")).sample


def page(request: Request, caller: Principal, shown: PageState, status: int = 200) -> Response:
    """The page, with what was just done or refused."""
    edit = shown.edit
    at = shown.at or _begin(edit)
    opened = open_panel.panel_at(edit.definition, at)
    errors = {**edit.errors, **shown.wrong}
    data = _data(caller, edit, opened)
    inputs, elsewhere = _inputs(edit, opened, errors)
    names = {
        str(located.step.get("id")): located.step.get("name")
        for located in editing.walk(edit.definition)
    }
    return responses.page(
        request,
        "builder.html",
        caller,
        status,
        edit=edit,
        title=edit.definition.get("name") or edit.name,
        opened=opened,
        nodes=draft.build_nodes(
            flow.with_names(edit.definition, uses.names_in(caller.workspace_id, edit.definition)),
            errors,
        ),
        end=editing.end_of(edit.definition),
        is_cut=draft.is_cut(edit.definition),
        trigger=_trigger(edit),
        trigger_kind=draft_texts.kind_of(edit.definition.get("trigger")),
        trigger_kinds=TRIGGER_TYPES,
        trigger_problems=len(draft.errors_of(errors, "trigger")),
        settings_problems=draft.elsewhere(errors) if opened.kind != "settings" else {},
        errors=errors,
        inputs=inputs,
        elsewhere=elsewhere,
        previews=_previews(inputs, data.names),
        groups=available_data.groups(edit.definition, opened.placed, data.names, data.secrets),
        run_id=data.run_id,
        choices=_choices(caller, inputs),
        kind_groups=draft.KIND_GROUPS,
        source=draft_texts.step_yaml(opened.placed.step) if opened.placed else "",
        operators=words.OPERATORS,
        ways=editing.neighbours(edit.definition, opened.placed) if opened.placed else {},
        step_title=_title(opened),
        step_icon=words.icon(str(opened.placed.step.get("type"))) if opened.placed else "step",
        yaml=_yaml(edit, opened, shown),
        sample=_sample(shown, opened, data),
        refused=shown.refused,
        wrong=draft.named_errors(shown.wrong, edit.definition),
        removed={run: names.get(step, step) for run, step in _removed_steps(edit).items()},
        tested=_test_result(shown.tested),
        trial=shown.tried,
        tried=trials.build_steps(shown.tried) if shown.tried is not None else [],
        STEPS=step_inputs.STEPS,
    )


def _begin(edit: Edit) -> str:
    """What is open at first: the first step, if there is one."""
    first = next(editing.walk(edit.definition), None)
    return "trigger" if first is None else open_panel.panel_name(str(first.step["id"]))


def _title(opened: OpenPanel) -> str:
    if opened.placed is None:
        return ""
    kind = str(opened.placed.step.get("type"))
    return STEP_TYPES[kind].title if kind in STEP_TYPES else kind


def _removed_steps(edit: Edit) -> Mapping[str, str]:
    return edit.in_flight.at_removed_steps


def _trigger(edit: Edit) -> str:
    try:
        return triggers.describe(edit.definition)
    except ValueError:
        # What is being written is no schedule yet.
        return words.trigger(draft_texts.kind_of(edit.definition.get("trigger")))


def _data(caller: Principal, edit: Edit, opened: OpenPanel) -> _Data:
    last = samples.last(caller.workspace_id, edit.workflow_id, edit.definition)
    own = draft_texts.sample(edit.sample)
    names = dict(last.names)
    for root in ("input", "trigger", "submission", "variables"):
        values = names.get(root)
        names[root] = {**(values if isinstance(values, dict) else {}), **own.get(root, {})}
    outputs = {**last.outputs, **own.get("steps", {})}
    named = [secret.name for secret in secrets.list_all(caller.workspace_id)]
    available = available_data.names_at(edit.definition, opened.placed, names, outputs, named)
    if "loop" in own:
        available["loop"] = own["loop"]
    roots = ("input", "trigger", "submission", "variables")
    sample: dict[str, JSON] = {root: available[root] for root in roots if available.get(root)}
    return _Data(last.run_id, available, named, {**sample, "steps": outputs} if outputs else sample)


def _inputs(edit: Edit, opened: OpenPanel, errors: Errors) -> tuple[list[Input], Errors]:
    definition = edit.definition
    if opened.kind == "settings":
        own = draft.elsewhere(errors)
        inputs = step_inputs.inputs(schema_fields.settings_specs(), definition, own)
        return inputs, step_inputs.problems_elsewhere(inputs, own)
    if opened.kind == "trigger":
        trigger = definition.get("trigger")
        holder = trigger if isinstance(trigger, Mapping) else {}
        own = {
            path.replace("trigger.config.", "trigger."): messages
            for path, messages in errors.items()
            if path == "trigger" or path.startswith("trigger.")
        }
        specs = schema_fields.trigger_specs(draft_texts.kind_of(holder))
        inputs = step_inputs.inputs(specs, holder, own)
        return inputs, step_inputs.problems_elsewhere(inputs, own)
    if opened.placed is not None:
        own = draft.own_errors(errors, opened.placed)
        specs = specs_of(str(opened.placed.step.get("type")))
        inputs = step_inputs.inputs(specs, opened.placed.step, own)
        return inputs, step_inputs.problems_elsewhere(inputs, own)
    return [], {}


def _previews(inputs: Sequence[Input], names: Mapping[str, JSON]) -> dict[str, Preview]:
    previews: dict[str, Preview] = {}
    for input_ in inputs:
        previews |= _previews(input_.inside, names)
        if input_.spec.control in ("group", "boolean", "choice", "ways", "secret"):
            continue
        value: Any = input_.raw
        if input_.spec.key == "expression" and isinstance(value, str) and value.strip():
            bare = value.strip().removeprefix("{{").removesuffix("}}")
            value = f"{{{{{bare}}}}}"
        if input_.spec.control != "code" or input_.spec.key != "code":
            preview = available_data.preview(value, names)
            if preview is not None:
                previews[input_.name] = preview
    return previews


def _choices(caller: Principal, inputs: Sequence[Input]) -> dict[str, list[tuple[str, str]]]:
    """What the references of the open fields may be to."""
    workspace_id = caller.workspace_id
    choices: dict[str, list[tuple[str, str]]] = {}
    for subject in {input_.spec.subject for input_ in inputs if input_.spec.control == "reference"}:
        pairs: list[tuple[str, str]] = []
        match subject:
            case Subject.FORM:
                pairs = list(forms.titles(workspace_id).items())
            case Subject.TABLE:
                pairs = [(table.id, table.name) for table in tables.list_all(workspace_id)]
            case Subject.BOARD:
                pairs = [
                    (template.id, template.name)
                    for template in matter_templates.list_all(workspace_id)
                ]
            case Subject.DOCUMENT_TEMPLATE:
                pairs = [
                    (template.id, template.name)
                    for template in document_templates.list_all(workspace_id)
                ]
            case Subject.AUTOMATION:
                listed, _ = overviews.page_after(workspace_id, WorkflowFilter(), None, _MAX_CHOICES)
                pairs = [(row.workflow.id, row.workflow.name) for row in listed]
        choices[subject] = pairs[:_MAX_CHOICES]
    return choices


def _yaml(edit: Edit, opened: OpenPanel, shown: PageState) -> str:
    if opened.kind != "yaml":
        return ""
    if shown.form is not None and "yaml" in shown.form:
        return text(shown.form, "yaml")
    return draft_texts.yaml(edit.definition)


def _sample(shown: PageState, opened: OpenPanel, data: _Data) -> str:
    if opened.kind != "sample":
        return ""
    if shown.form is not None and "sample" in shown.form:
        return text(shown.form, "sample")
    return draft_texts.sample_text(shown.edit.sample or data.sample)


def _test_result(result: StepTestResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    outcome = result.outcome
    failed = isinstance(outcome, Fail)
    waits = find_wait(outcome) is not None
    status = "FAILED" if failed else "WAITING" if waits else "DONE"
    return {
        "status": status,
        "run_id": result.run_id,
        "config": shown_values.pretty(result.config) if result.config is not None else None,
        "output": None
        if outcome is None or isinstance(outcome, Fail)
        else shown_values.pretty(output_of(outcome)),
        "arm": texts.text(f"flow.{outcome.arm}") if isinstance(outcome, Branch) else None,
        "error": outcome.error if isinstance(outcome, Fail) else None,
        "seconds": result.duration.total_seconds(),
        "waits": waits,
    }
