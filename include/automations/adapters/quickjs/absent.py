"""Explains what scripts for browsers, servers and other products expect and is absent here."""

from __future__ import annotations

import re

_UNDEFINED = re.compile(r"(\S{1,100}) is not defined")
_TIMERS = "there are no timers; a delay step waits"
_NETWORK = "a script reaches no network; an http_request step does"
_MODULES = "there are no modules and packages, the language's own objects only"
_LOCALES = "there are no locales and time zones; use toFixed and toISOString"
_ADDRESSES = "take an address apart by a regular expression, and write one by encodeURIComponent"
_BYTES = "use TextEncoder, TextDecoder, atob and btoa"
_GLOBAL = "it is called globalThis"
_GIVEN = "unless config.input gives the script something else, it is input.{}"

_INSTEAD = {
    **dict.fromkeys(("setTimeout", "setInterval", "setImmediate", "clearTimeout"), _TIMERS),
    **dict.fromkeys(("fetch", "XMLHttpRequest", "WebSocket", "axios", "$http"), _NETWORK),
    **dict.fromkeys(("require", "module", "exports", "process", "Deno", "Bun"), _MODULES),
    **dict.fromkeys(("_", "lodash", "moment", "dayjs", "luxon", "DateTime"), _MODULES),
    **dict.fromkeys(("Intl", "Temporal"), _LOCALES),
    **dict.fromkeys(("URL", "URLSearchParams"), _ADDRESSES),
    **dict.fromkeys(("Buffer", "Blob", "File", "FormData"), _BYTES),
    **dict.fromkeys(("crypto", "CryptoJS"), "a script has no random keys, hashes and signatures"),
    **dict.fromkeys(("window", "global", "self"), _GLOBAL),
    **dict.fromkeys(("document", "navigator", "localStorage"), "there is no page and no browser"),
    **dict.fromkeys(("$input", "$json", "items", "inputData", "event"), "it is called input"),
    **{
        name: _GIVEN.format(name)
        for name in ("trigger", "submission", "steps", "loop", "run", "workflow")
    },
}


def explain(name: str, message: str) -> str:
    """The message of a script's error, with what to use instead of what is not there."""
    match = _UNDEFINED.fullmatch(message) if name == "ReferenceError" else None
    instead = None if match is None else _INSTEAD.get(match[1])
    if name == "ReferenceError" and message.startswith("could not load module"):
        instead = _MODULES
    return message if instead is None else f"{message}: {instead}"
