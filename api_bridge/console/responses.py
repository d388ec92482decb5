"""The console's responses: pages with their headers, and redirects after forms."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api_bridge.console import assets, csrf, navigation, texts, urls
from api_bridge.console.views import plots, timestamps, words
from api_bridge.downloads import download
from api_bridge.public_pages import shown_values
from api_bridge.public_pages.pages import SHARED_GLOBALS, STYLE_SOURCE, TEMPLATES
from automations.domain.principals import Principal
from automations.kit.networks import LOOPBACK
from automations.settings import get_settings

_SAID = "automations_said"
"""A cookie that names the text which the next page shows, of what a form has done."""
THEME = "automations_theme"
THEMES = ("light", "dark")

_HERE = Path(__file__).parent
_templates = Environment(
    # Those of the public pages, too: forms look alike everywhere.
    loader=FileSystemLoader([_HERE / "templates", TEMPLATES]),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    # A name that a page lacks is a bug, and no empty place.
    undefined=StrictUndefined,
)
_templates.globals.update(
    SHARED_GLOBALS,
    t=texts.text,
    n=texts.number,
    asset=assets.address,
    navigation=navigation.groups,
    exact=timestamps.exact,
    iso=timestamps.iso,
    duration=timestamps.duration,
    interval=timestamps.interval,
    status_word=words.status,
    trigger_word=words.trigger,
    origin_word=words.origin,
    period_word=words.period,
    kind_word=plots.kind,
    operator_word=words.operator,
    severity_word=words.severity,
    source_word=words.source,
    size_word=words.size,
    format_word=words.file_format,
    option_word=words.option,
    event_word=words.event,
    within=shown_values.within,
)


def page(
    request: Request,
    template: str,
    caller: Principal | None,
    status: int = 200,
    /,
    **shown: Any,
) -> Response:
    """A rendered page.

    Args:
        caller: who reads it; None before they have signed in.
    """
    notice = request.cookies.get(_SAID)
    theme = request.cookies.get(THEME)
    content = _templates.get_template(template).render(
        reader=caller,
        csrf=csrf.once(request),
        here=_here(request),
        said=notice if notice in texts.SAID else None,
        theme=theme if theme in THEMES else None,
        embedded=is_embedded(request),
        **shown,
    )
    answer = Response(content, status, headers(), "text/html")
    if notice is not None:
        answer.delete_cookie(_SAID, path=urls.ROOT)
    if caller is None:
        csrf.remember(request, answer)
    return answer


def framing(answer: Response) -> Response:
    """The page, which may show another one of ours in a frame."""
    answer.headers["Content-Security-Policy"] += "; frame-src 'self'"
    return answer


def frame_headers() -> dict[str, str]:
    """The headers of what a page shows in a frame of its own: it may run and send nothing."""
    return headers() | {
        "Content-Security-Policy": f"default-src 'none'; style-src {STYLE_SOURCE}; "
        f"form-action 'none'; base-uri 'none'; sandbox; frame-ancestors {_frame_ancestors()}"
    }


def inline_file(name: str, content: bytes, content_type: str) -> Response:
    """A PDF or a picture that a page shows: it loads nothing, and is in no frame of others."""
    answer = download(name, content, content_type, shown=True)
    answer.headers.update(
        headers()
        | {
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
            f"base-uri 'none'; form-action 'none'; frame-ancestors {_frame_ancestors()}"
        }
    )
    return answer


def redirect(to: str, notice: str | None = None) -> Response:
    """Where a form leads when it was taken: loading the page again sends nothing again.

    Args:
        notice: the key of the text that the page shows of what was done.
    """
    answer = RedirectResponse(to, 303, headers())
    if notice is not None:
        if notice not in texts.SAID:
            raise ValueError(f"{notice} is no text that is said after a form")
        answer.set_cookie(_SAID, notice, max_age=60, path=urls.ROOT, httponly=True, samesite="lax")
    return answer


def as_file(name: str, value: Any) -> Response:
    """A JSON value to save."""
    written = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return download(name, written.encode(), "application/json")


def headers() -> dict[str, str]:
    """The headers of every page: no script, style or frame of others, and nothing is cached."""
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {_frame_ancestors()}",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
    }


def _frame_ancestors() -> str:
    return " ".join(("'self'", *_airflow_origins(get_settings().airflow_base)))


@lru_cache(maxsize=4)
def _airflow_origins(base: str) -> tuple[str, ...]:
    """Where Airflow's pages are: one of this machine has two names."""
    url = urlsplit(base)
    hosts = LOOPBACK if url.hostname in LOOPBACK else (url.hostname or "",)
    port = f":{url.port}" if url.port else ""
    return tuple(f"{url.scheme}://{host}{port}" for host in hosts)


def is_embedded(request: Request) -> bool:
    """Whether a page stands in a tab of Airflow's."""
    return request.headers.get("sec-fetch-dest") == "iframe"


def _here(request: Request) -> str:
    return urls.build(request.url.path, request.url.query)
