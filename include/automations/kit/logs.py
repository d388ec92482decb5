"""Structured logs: one JSON object per line, with ids of the context and without secrets.

Ids are bound where work begins: ``requestId`` by the bridge, ``runId`` and ``stepId`` by the
engine. They are structlog's context variables, which Airflow's own logs show, too.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, Literal

import structlog

from automations.kit.masking import MASK, Masker

_OURS = ("automations", "api_bridge", "automations_airflow", "uvicorn")
_TIMESTAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)
# API keys, sessions, tokens of links and webhooks, and other credentials.
_TOKENS = re.compile(
    r"\bsk_[\w-]{8,}|\bss_[\w-]{30,}"
    r"|(?<=/callback/)[\w-]{16,}|(?<=/requests/)[\w-]{16,}|(?<=/webhooks/)[\w-]{16,}"
    r"|(?<=/invitation/)[\w-]{16,}|(?<=voucher=)[\w-]{16,}\.[0-9a-f]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=bearer )[\w.~+/=-]{8,}|(?<=basic )[\w+/=-]{8,}",
    re.IGNORECASE,
)

_MARKS = (
    *("sk_", "ss_", "/callback/", "/requests/", "/webhooks/", "/invitation/", "voucher=", "://"),
    *("bearer ", "basic "),
)
"""One of these is in every text that has a credential; to look for the credentials takes longer."""

Mask = Callable[[str], str]
_mask: ContextVar[Mask | None] = ContextVar("mask", default=None)


def bound(**ids: str | None) -> AbstractContextManager[None]:
    """Add these ids to every line that is logged inside the block."""
    return structlog.contextvars.bound_contextvars(
        **{name: value for name, value in ids.items() if value is not None}
    )


@contextmanager
def unbound(*names: str) -> Iterator[None]:
    """Leave these ids out of the lines that are logged inside the block."""
    known = structlog.contextvars.get_contextvars()
    structlog.contextvars.unbind_contextvars(*names)
    try:
        yield
    finally:
        structlog.contextvars.bind_contextvars(**{n: known[n] for n in names if n in known})


def bind(**ids: str) -> None:
    """Add these ids to every line for the rest of the current task or thread."""
    structlog.contextvars.bind_contextvars(**ids)


def without_tokens(text: str) -> str:
    """Mask the credentials in a text: API keys, and tokens of links and webhooks."""
    folded = text.casefold()
    return _TOKENS.sub(MASK, text) if any(mark in folded for mark in _MARKS) else text


@contextmanager
def mask_lines(mask: Mask) -> Iterator[None]:
    """Apply a mask to every line that anybody logs inside the block.

    This works in every host, since lines are changed before any handler sees them.
    """
    _install()
    outer = _mask.get()
    before = _mask.set(mask if outer is None else lambda text: outer(mask(text)))
    try:
        yield
    finally:
        _mask.reset(before)


def configure(
    style: Literal["json", "text"], level: str, secrets: tuple[str, ...] = (), stream: Any = None
) -> None:
    """Send this process's logs to stderr, in one format.

    Args:
        secrets: those of the installation, which are masked.
    """
    masker = Masker(secrets)

    def without_secrets(
        _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event.pop("color_message", None)  # uvicorn's, for terminals
        first = {name: event.pop(name, None) for name in ("timestamp", "level", "logger", "event")}
        line = {**first, **event}
        texts = {
            key: value.replace("\0", "\ufffd")
            for key, value in line.items()
            if isinstance(value, str)
        }
        # All texts at once, since searching many texts for many secrets is slow; none has a NUL.
        shown = without_tokens(masker.text("\0".join(texts.values()))).split("\0")
        return line | dict(zip(texts, shown, strict=True))

    last: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
        if style == "json"
        else structlog.processors.KeyValueRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _TIMESTAMP,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            without_secrets,
            last,
        ],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(level)
    # It warns of every retry of a connection, with the address; the caller reports the result.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)


def _install() -> None:
    factory = logging.getLogRecordFactory()
    if getattr(factory, "masks", False):
        return

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        mask = _mask.get()
        if mask is not None:
            text = record.getMessage()
            if record.exc_info and record.exc_info[0] is not None:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.msg, record.args, record.exc_info = mask(text), (), None
        return record

    make.masks = True  # type: ignore[attr-defined]  # so that it is installed only once
    logging.setLogRecordFactory(make)
