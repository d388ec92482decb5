"""A route in Airflow's api-server that lets its users into the console without a second sign-in.

It says who they are and which role they have, signed, for a minute, one use and the browser that
asks; the bridge makes its session of that.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import HTTPException, Query, Request
from fastapi.responses import RedirectResponse

from automations.definitions.published import run_id, workflow_id
from automations.errors import NotAllowed
from automations.kit.networks import LOOPBACK
from automations.services.access import vouchers
from automations.settings import get_settings
from automations_airflow.server.app_factory import new_app

app = new_app()

Id = Annotated[str, Query(max_length=500)]


@app.get("/open")
def open_console(
    request: Request,
    user: GetUserDep,
    dag: Id = "",
    run: Id = "",
    task: Id = "",
    page: Literal["approval"] | None = None,
) -> RedirectResponse:
    """Lead a user of Airflow to the console's page of a DAG, a run or a task.

    Of a run without a DAG the id is ours; of one that asks, the page of the decision is another.
    """
    try:
        browser = vouchers.browser_token(request.cookies.get(vouchers.BROWSER))
        voucher = vouchers.issue(user.get_name(), vouchers.role_of(_roles(user)), browser)
    except NotAllowed as error:
        raise HTTPException(403, error.message) from error
    query = urlencode({"voucher": voucher, "next": _page(dag, run, task, page)})
    answer = RedirectResponse(f"{_bridge(request)}/console/from-airflow?{query}", 303)
    answer.set_cookie(
        vouchers.BROWSER,
        browser,
        httponly=True,
        samesite="lax",
        secure=get_settings().bridge_base.startswith("https:"),
    )
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _page(dag: str, run: str, task: str, wanted: str | None) -> str:
    if not dag:
        return f"/console/runs/{quote(run, safe='')}" if run else "/console/workflows"
    automation = workflow_id(dag)
    if automation is None:
        raise HTTPException(404, "This DAG is none of an automation's.")
    if not run:
        return f"/console/workflows/{quote(automation, safe='')}"
    ours = quote(run_id(automation, run), safe="")
    if wanted == "approval":
        return f"/console/approvals/{ours}"
    page = f"/console/runs/{ours}"
    return f"{page}/steps/{quote(task, safe='')}" if task else page


def _roles(user: Any) -> list[str]:
    """The names of a user's roles, as Airflow's auth managers keep them."""
    role = getattr(user, "role", None)
    if isinstance(role, str):
        return [role]
    return [str(getattr(one, "name", one)) for one in getattr(user, "roles", None) or ()]


def _bridge(request: Request) -> str:
    """The bridge's address; of this machine by the name that the reader has Airflow at.

    To a browser 127.0.0.1 and localhost are two sites, and a frame of the other has no cookies.
    """
    base = get_settings().bridge_base
    url = urlsplit(base)
    here = request.url.hostname
    if here not in LOOPBACK or url.hostname not in LOOPBACK:
        return base
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{here}{port}{url.path}"
