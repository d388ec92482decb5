"""Reads a sender as people write one: an address, or a name before an address in ``<>``."""

from __future__ import annotations

import re

_SPECIAL = r"\s@.<>()\[\],;:\"\\"
_LABEL = rf"(?!-)[^{_SPECIAL}]{{1,63}}(?<!-)"
_ADDRESS = re.compile(rf"[^{_SPECIAL}]+(?:\.[^{_SPECIAL}]+)*@{_LABEL}(?:\.{_LABEL})*")
_NAMED = re.compile(
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^"<>()\[\],;:@\\]*)) *<(?P<of>.*)>'
)


def parse(text: str) -> tuple[str, str]:
    """The name, which may be empty, and the address; with neither anything before nor behind them.

    Raises:
        ValueError: it is something else, such as two addresses.
    """
    named = _NAMED.fullmatch(text)
    address = text if named is None else named["of"]
    # An encoded word is a legal name, which mail servers on the way may read as another address.
    if not text.isprintable() or "=?" in text or not _ADDRESS.fullmatch(address):
        raise ValueError("must be an e-mail address such as Flows <flows@example.com>")
    if named is None:
        return "", address
    if named["quoted"] is not None:
        return re.sub(r"\\(.)", r"\1", named["quoted"]), address
    return named["bare"].strip(), address
