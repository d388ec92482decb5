"""Signing in with a password, accepting an invitation, and signing out."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response

from api_bridge import cookies, denied_requests
from api_bridge.bodies import MAX_SIGN_IN_BYTES, body_limit
from api_bridge.console import responses, urls
from api_bridge.console.form_data import Posted, text
from api_bridge.deps import Viewer, client_address
from api_bridge.endpoint_marks import any_query, hashing
from api_bridge.errors import STATUSES
from api_bridge.routing import Router
from automations.errors import DomainError, NotAuthenticated, TooManyRequests, ValidationFailed
from automations.services.access import sign_ins, vouchers
from automations.services.access.bootstrap import DEFAULT_WORKSPACE
from automations.services.access.sign_ins import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    NewSession,
)

router = Router(prefix=urls.ROOT, tags=["session"])

_MAX_TEXT = 320


@router.get("/sign-in")
@any_query
def show_sign_in(request: Request, next: str = urls.HOME) -> Response:  # noqa: A002
    """Ask who signs in."""
    return _sign_in_page(request, next)


@router.post("/sign-in")
@hashing
@body_limit(MAX_SIGN_IN_BYTES)
def sign_in(request: Request, form: Posted) -> Response:
    """Sign in, and lead on to the page that was asked for."""
    cookies.check_origin(request, unless_silent=True)
    email, password = text(form, "email"), text(form, "password")
    workspace = text(form, "workspace").strip() or DEFAULT_WORKSPACE[0]
    then = text(form, "next", urls.HOME)
    try:
        if len(email) > _MAX_TEXT or len(password) > MAX_PASSWORD_LENGTH:
            raise NotAuthenticated("The address or the password is wrong.")
        opened = sign_ins.sign_in(workspace, email, password, client_address(request))
    except (NotAuthenticated, TooManyRequests) as error:
        denied_requests.note(request, error)
        return _sign_in_page(request, then, email=email, workspace=workspace, error=error)
    return _session_answer(opened, then)


@router.get("/from-airflow")
@any_query
def enter_from_airflow(
    request: Request,
    voucher: Annotated[str, Query(max_length=2_000)] = "",
    next: str = urls.HOME,  # noqa: A002
) -> Response:
    """Sign in whom Airflow vouches for, once; whoever has signed in stays who they are.

    A voucher that another browser has asked for may be somebody else's: who comes with it is asked.
    """
    head = request.method == "HEAD"  # What looks at a link first must not use it up.
    if _is_signed_in(request):
        with suppress(NotAuthenticated):
            if not head:
                vouchers.revoke(voucher)
        return responses.redirect(urls.safe(next))
    claims = vouchers.read(voucher)
    if not claims.is_asked_by(request.cookies.get(vouchers.BROWSER)):
        return responses.page(
            request,
            "from_airflow.html",
            None,
            voucher=voucher,
            then=urls.safe(next),
            user=claims.user,
        )
    if head:
        return responses.redirect(urls.safe(next))
    return _session_answer(vouchers.redeem(voucher), next)


@router.post("/from-airflow")
@body_limit(MAX_SIGN_IN_BYTES)
def confirm_from_airflow(request: Request, form: Posted) -> Response:
    """Sign in who has said that they are the user whom Airflow vouches for."""
    cookies.check_origin(request, unless_silent=True)
    then = text(form, "next", urls.HOME)
    if _is_signed_in(request):
        return responses.redirect(urls.safe(then))
    return _session_answer(vouchers.redeem(text(form, "voucher")), then)


@router.get("/invitation/{token}")
@any_query
def show_invitation(request: Request, token: str) -> Response:
    """Ask for the password that whoever was invited chooses; changes nothing."""
    return _invitation_page(request)


@router.post("/invitation/{token}")
@any_query
@hashing
@body_limit(MAX_SIGN_IN_BYTES)
def accept_invitation(request: Request, token: str, form: Posted) -> Response:
    """Set a password with an invitation, once, and sign in."""
    cookies.check_origin(request, unless_silent=True)
    try:
        password = text(form, "password")
        if password != text(form, "again"):
            raise ValidationFailed({"again": ["is not the same as the first one"]})
        opened = sign_ins.accept(token, password, client_address(request))
    except DomainError as error:
        denied_requests.note(request, error, link=True)
        return _invitation_page(request, error)
    # Whoever comes for the first time is led to what is to be done first.
    return _session_answer(opened, urls.ROOT)


@router.post("/sign-out")
def sign_out(request: Request, caller: Viewer, form: Posted) -> Response:
    """Sign out: the session ends."""
    sign_ins.sign_out(caller)
    request.state.caller = None
    answer = responses.redirect(urls.SIGN_IN)
    cookies.clear_session(answer)
    return answer


def _is_signed_in(request: Request) -> bool:
    session = request.cookies.get(cookies.COOKIE)
    try:
        return session is not None and bool(sign_ins.authenticate(session))
    except NotAuthenticated:
        return False  # It has ended.


def _sign_in_page(
    request: Request,
    then: str,
    email: str = "",
    workspace: str = "",
    error: DomainError | None = None,
) -> Response:
    status = 200 if error is None else STATUSES[type(error)]
    answer = responses.page(
        request,
        "sign_in.html",
        None,
        status,
        then=urls.safe(then),
        email=email,
        workspace=workspace,
        error=error.message if error else None,
    )
    if isinstance(error, TooManyRequests):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def _invitation_page(request: Request, error: DomainError | None = None) -> Response:
    problems = error.field_errors if isinstance(error, ValidationFailed) else {}
    return responses.page(
        request,
        "invitation.html",
        None,
        200 if error is None else STATUSES[type(error)],
        error=error.message if error and not problems else None,
        problems=problems,
        least=MIN_PASSWORD_LENGTH,
    )


def _session_answer(opened: NewSession, then: str) -> Response:
    answer = responses.redirect(urls.safe(then))
    cookies.set_session(answer, opened.token, opened.expires_at)
    return answer
