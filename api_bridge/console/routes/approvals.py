"""What people are asked to decide: the open decisions, one by one or several at once."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import FormData

from api_bridge.bodies import MAX_FILES_BYTES, body_limit
from api_bridge.console import csrf, queries, responses, urls
from api_bridge.console.form_data import Posted, text, texts
from api_bridge.console.queries import Page
from api_bridge.deps import Member, Viewer
from api_bridge.public_pages import form_groups, form_inputs
from api_bridge.routing import Router
from automations.domain.principals import Principal
from automations.domain.statuses import DECISIONS
from automations.errors import Conflict, NotAllowed, NotFound, ValidationFailed
from automations.services.runs import browsing
from automations.services.waits import decisions, inbox

ROOT = "/console/approvals"
router = Router(prefix=ROOT, tags=["runs"])

_MAX_BULK = 100
_BESIDE = (csrf.FIELD, "decision", "next", "reason")
"""What the page of one decision sends beside its answer."""


@router.get("")
def show_list(request: Request, caller: Viewer, page: Page = 1) -> Response:
    """The decisions that are open, one's own first."""
    open_decisions = inbox.list_open(caller)
    shown, following = queries.paginate(request, open_decisions, page)
    return responses.page(
        request,
        "approvals.html",
        caller,
        asked=shown,
        total=len(open_decisions),
        is_cut=len(open_decisions) >= inbox.MAX_LISTED,
        following=following,
        is_first=page == 1,
    )


@router.post("/bulk")
def decide_many(caller: Member, form: Posted) -> Response:
    """Decide what was chosen; what cannot be is told."""
    decision, chosen = str(form_inputs.single_text(form, "decision")), texts(form, "run")
    if decision not in DECISIONS or not chosen:
        raise ValidationFailed({"run": ["choose one at least, and approve or reject"]})
    if len(chosen) > _MAX_BULK:
        raise ValidationFailed({"run": [f"choose {_MAX_BULK} at most at once"]})
    refused: dict[str, list[str]] = {}
    for run_id in chosen:
        try:
            decisions.resume(
                caller, run_id, decision=decision, data=None, reason=form_inputs.reason(form)
            )
        except (Conflict, NotAllowed, NotFound, ValidationFailed) as error:
            refused[run_id] = [error.message]
    if refused:
        done = len(chosen) - len(refused)
        raise ValidationFailed(refused, f"{done} of {len(chosen)} were decided.")
    return responses.redirect(ROOT, f"run.{decision}")


@router.get("/{run_id}")
def show(request: Request, caller: Viewer, run_id: str) -> Response:
    """One decision, with what it is about."""
    return _decision_page(request, caller, run_id)


@router.post("/{run_id}")
@body_limit(multipart=MAX_FILES_BYTES)
def decide(request: Request, caller: Member, run_id: str, form: Posted) -> Response:
    """Decide, once."""
    question = _open_decision(caller, run_id)
    filled = data = None
    try:
        if question.form is not None:
            filled = form_inputs.read(question.form, form, beside=_BESIDE)
            if form_inputs.edits(form):
                return _decision_page(request, caller, run_id, form, filled.data, filled.problems)
            if filled.problems:
                raise ValidationFailed(filled.problems)
            data = filled.data or None
        else:
            form_inputs.check_names(form, _BESIDE)
        decision = str(form_inputs.single_text(form, "decision"))
        sent = filled.uploads if filled is not None else ()
        why = form_inputs.reason(form)
        decisions.resume(caller, run_id, decision=decision, data=data, sent=sent, reason=why)
    except ValidationFailed as error:
        typed = filled.data if filled is not None else None
        return _decision_page(request, caller, run_id, form, typed, error.field_errors)
    return responses.redirect(urls.safe(text(form, "next", ROOT)), f"run.{decision}")


def _open_decision(caller: Principal, run_id: str) -> inbox.OpenDecision:
    decision = next(iter(inbox.list_open(caller, run_id)), None)
    if decision is None:
        browsing.automation_of(caller.workspace_id, run_id)
        raise Conflict("Nothing is asked any more: it was decided, has expired, or was cancelled.")
    return decision


def _decision_page(
    request: Request,
    caller: Principal,
    run_id: str,
    form: FormData | None = None,
    typed: dict[str, object] | None = None,
    problems: dict[str, list[str]] | None = None,
) -> Response:
    question = _open_decision(caller, run_id)
    groups = None
    if question.form is not None:
        groups = form_groups.build(question.form, typed or {}, problems)
    return responses.page(
        request,
        "approval.html",
        caller,
        400 if problems else 200,
        one=question,
        groups=groups,
        reason=text(form, "reason") if form is not None else "",
        files=question.form is not None and form_groups.takes_files(question.form),
        problems=problems or {},
        elsewhere=form_groups.elsewhere(groups or [], problems or {}),
    )
