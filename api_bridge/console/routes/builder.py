"""The builder: an automation's trigger and steps, written by hand or as YAML, and saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.airflow.connections import ASKED_OF_AIRFLOW
from api_bridge.console import form_data, responses, urls
from api_bridge.console.form_data import Posted, text
from api_bridge.console.queries import Text
from api_bridge.console.routes import builder_pages
from api_bridge.console.routes.builder_pages import PageState
from api_bridge.console.views import (
    draft_texts,
    open_panel,
    schema_fields,
    step_inputs,
    trials,
)
from api_bridge.console.views.open_panel import OpenPanel
from api_bridge.deps import Admin, EffectId
from api_bridge.endpoint_marks import outside, repeatable, slow
from api_bridge.routing import Router
from automations import wiring
from automations.definitions import checking, editing
from automations.definitions.editing import Draft, position_of
from automations.definitions.triggers import TRIGGER_TYPES
from automations.domain.principals import Principal
from automations.domain.statuses import WorkflowStatus
from automations.errors import Conflict, ValidationFailed
from automations.execution import step_tests
from automations.execution import trials as execution_trials
from automations.execution.trial_data import TrialData
from automations.services.workflows import edits
from automations.services.workflows.edits import Edit

router = Router(prefix="/console/workflows", tags=["workflows"])

_PASTE, _SAVE_AND_TEST = "paste:", "test:save"


@router.get("/{workflow_id}/edit")
def show(request: Request, caller: Admin, workflow_id: str, at: Text = "") -> Response:
    """What the automation is to become, and what is open of it."""
    return builder_pages.page(request, caller, PageState(edits.get(caller, workflow_id), at))


@router.post("/{workflow_id}/edit")
def change(request: Request, caller: Admin, workflow_id: str, form: Posted) -> Response:
    """Keep what was typed, then do what the button says."""

    def press(edit: Edit, at: str) -> Response:
        do = text(form, "do")
        if do == _PASTE:
            # By the keyboard from the clipboard, or typed into the area.
            do += text(form, "clip") or text(form, "pasted")
        return _apply_button(caller, edit, at, do)

    return _keep_then(press, request, caller, workflow_id, form)


@router.post("/{workflow_id}/edit/test")
@slow
@outside
def test(
    request: Request, caller: Admin, effect_id: EffectId, workflow_id: str, form: Posted
) -> Response:
    """Do the open step for real, with the data at hand."""

    def do_step(edit: Edit, at: str) -> Response:
        step = open_panel.panel_at(edit.definition, at).placed
        if step is None:
            raise ValidationFailed({"at": ["choose a step first"]})
        if edit.is_changed and text(form, "do") == _SAVE_AND_TEST:
            edits.save(caller, workflow_id, edit.number, wiring.ports())
            edit = edits.get(caller, workflow_id)
        if edit.is_changed:
            raise Conflict("Save first: what is tested is a step of what is saved.")
        engine, step_id = wiring.engine(ASKED_OF_AIRFLOW), str(step.step["id"])
        trial_data = _trial_data(caller, edit)
        result = step_tests.run(engine, caller, workflow_id, step_id, trial_data, effect_id)
        shown = PageState(edits.get(caller, workflow_id), at, tested=result)
        return builder_pages.page(request, caller, shown)

    return _keep_then(do_step, request, caller, workflow_id, form)


@router.post("/{workflow_id}/edit/try")
@slow
@outside
@repeatable
def try_all(request: Request, caller: Admin, workflow_id: str, form: Posted) -> Response:
    """Go through the whole as it is written, with the data at hand; nothing is done outside."""

    def go_through(edit: Edit, at: str) -> Response:
        definition, problems = checking.parse(dict(edit.definition))
        if definition is None or problems:
            raise ValidationFailed(problems)
        steps = editing.walk(edit.definition)
        names = {str(located.step["id"]): str(located.step["name"]) for located in steps}
        answers = trials.answers(edit.sample, form, names)
        trial_data, workspace_id = _trial_data(caller, edit), caller.workspace_id
        result = execution_trials.run(
            wiring.ports(), workspace_id, workflow_id, trial_data, answers, definition
        )
        shown = PageState(edits.get(caller, workflow_id), "trial", tried=result)
        return builder_pages.page(request, caller, shown)

    return _keep_then(go_through, request, caller, workflow_id, form)


def _keep_then(
    act: Callable[[Edit, str], Response],
    request: Request,
    caller: Principal,
    workflow_id: str,
    form: FormData,
) -> Response:
    """Keep what was typed into what is open, then act; or show the page with what is wrong.

    Args:
        act: is given the edit with what was typed, and the name of what is open.
    """
    at = text(form, "at")
    try:
        return act(_keep(caller, workflow_id, at, form), at)
    except Conflict as error:
        shown = PageState(edits.get(caller, workflow_id), at, refused=str(error))
        return builder_pages.page(request, caller, shown, 409)
    except ValidationFailed as error:
        shown = PageState(edits.get(caller, workflow_id), at, wrong=error.field_errors, form=form)
        return builder_pages.page(request, caller, shown, 400)


def _trial_data(caller: Principal, edit: Edit) -> TrialData:
    own = draft_texts.sample(edit.sample)
    run_id = builder_pages.last_run(caller, edit)
    return TrialData(run_id=run_id, **own)


def _keep(caller: Principal, workflow_id: str, at: str, form: FormData) -> Edit:
    """What was typed into what is open, kept; numbered as this window has seen it."""
    base, number = form_data.number(form, "base"), form_data.number(form, "number")
    if at == "sample":
        sample = draft_texts.read_sample(text(form, "sample"))
        edit = edits.get(caller, workflow_id)
        if sample in (edit.sample, builder_pages.data_of_last_run(caller, edit)):
            return replace(edit, number=number)
        return edits.keep_sample(caller, workflow_id, base, number, sample)

    def apply_typed(definition: Draft) -> Draft:
        return _apply_typed(definition, open_panel.panel_at(definition, at), at, form)

    edit = edits.get(caller, workflow_id)
    if apply_typed(edit.definition) == edit.definition:
        return replace(edit, number=number)
    return edits.apply(caller, workflow_id, base, number, at, apply_typed)


def _apply_typed(definition: Draft, opened: OpenPanel, at: str, form: FormData) -> Draft:
    if opened.name != at:
        return definition
    if at == "yaml":
        return draft_texts.read_yaml(definition, text(form, "yaml"))
    if at == "settings":
        return step_inputs.read(schema_fields.settings_specs(), definition, form)
    if at == "trigger":
        trigger = definition.get("trigger")
        trigger_draft = dict(trigger) if isinstance(trigger, Mapping) else {}
        specs = schema_fields.trigger_specs(draft_texts.kind_of(trigger_draft))
        changed = step_inputs.read(specs, trigger_draft, form)
        return {**definition, "trigger": changed} if changed != trigger_draft else definition
    if opened.placed is None:
        return definition
    step = opened.placed.step
    kind = str(step.get("type"))
    changed = step_inputs.read(builder_pages.specs_of(kind), step, form)
    if changed == step:
        return definition
    return editing.replace(definition, str(step["id"]), changed)


def _apply_button(caller: Principal, edit: Edit, at: str, do: str) -> Response:
    """Do what a button says, as ``verb:what``, and lead on to what is open then."""
    verb, _, what = do.partition(":")
    if verb in _CHANGES:
        panels: list[str] = []

        def act(definition: Draft) -> Draft:
            changed, then = _CHANGES[verb](definition, what, at)
            panels.append(then)
            return changed

        edits.apply(caller, edit.workflow_id, edit.base_version, edit.number, "", act)
        return _to(edit, panels[0])
    match verb:
        case "at":
            at = what
        case "undo" | "redo":
            steps = 1 if verb == "undo" else -1
            edits.step_back(caller, edit.workflow_id, edit.number, steps)
        case "discard":
            edits.discard(caller, edit.workflow_id, edit.number)
            return _to(edit, at, "edit.discarded")
        case "follow":
            edits.follow(caller, edit.workflow_id, edit.number)
            return _to(edit, at, "edit.followed")
        case "save":
            edits.save(caller, edit.workflow_id, edit.number, wiring.ports())
            return _to(edit, at, "edit.saved")
        case "activate":
            status = WorkflowStatus.ACTIVE
            edits.save(caller, edit.workflow_id, edit.number, wiring.ports(), status)
            return responses.redirect(f"{urls.HOME}/{edit.workflow_id}", "workflow.ACTIVE")
    return _to(edit, at)


def _to(edit: Edit, at: str, notice: str | None = None) -> Response:
    return responses.redirect(builder_pages.address(edit.workflow_id, at), notice)


_Change = Callable[[Draft, str, str], tuple[Draft, str]]
"""Gives a new definition by what a button names and what is open, and what is open then."""


def _new(definition: Draft, kind: str, at: str) -> tuple[Draft, str]:
    spot = open_panel.panel_at(definition, at).spot
    if spot is None:
        raise ValidationFailed({"do": ["choose a place first"]})
    changed, step_id = editing.add(definition, kind, spot)
    return changed, open_panel.panel_name(step_id)


def _kind(definition: Draft, kind: str, at: str) -> tuple[Draft, str]:
    if kind not in TRIGGER_TYPES:
        raise ValidationFailed({"trigger.type": [f"unknown type '{kind[:100]}'"]})
    return {**definition, "trigger": {"type": kind}}, "trigger"


def _move(definition: Draft, what: str, at: str) -> tuple[Draft, str]:
    step_id, _, spot = what.partition(":")
    return editing.move(definition, step_id, position_of(spot)), open_panel.panel_name(step_id)


def _copy(definition: Draft, step_id: str, at: str) -> tuple[Draft, str]:
    changed, copy_id = editing.duplicate(definition, step_id)
    return changed, open_panel.panel_name(copy_id)


def _paste(definition: Draft, written: str, at: str) -> tuple[Draft, str]:
    opened = open_panel.panel_at(definition, at)
    spot = opened.spot or editing.end_of(definition)
    if opened.placed is not None:
        spot = editing.behind(opened.placed.spot)
    changed, step_id = editing.insert(definition, draft_texts.read_steps(written), spot)
    return changed, open_panel.panel_name(step_id)


def _delete(definition: Draft, step_id: str, at: str) -> tuple[Draft, str]:
    spot = editing.find(definition, step_id).spot
    changed = editing.remove(definition, step_id)
    siblings: Sequence[Any] = [
        located.step["id"]
        for located in editing.walk(changed)
        if (located.spot.owner, located.spot.name) == (spot.owner, spot.name)
    ]
    if siblings:
        return changed, open_panel.panel_name(siblings[min(spot.index, len(siblings) - 1)])
    return changed, open_panel.panel_name(spot.owner) if spot.owner else "trigger"


def _toggle(definition: Draft, step_id: str, at: str) -> tuple[Draft, str]:
    step = dict(editing.find(definition, step_id).step)
    if step.pop("disabled", False) is not True:
        step["disabled"] = True
    return editing.replace(definition, step_id, step), open_panel.panel_name(step_id)


_CHANGES: Mapping[str, _Change] = {
    "new": _new,
    "kind": _kind,
    "move": _move,
    "copy": _copy,
    "paste": _paste,
    "delete": _delete,
    "toggle": _toggle,
}
