"""The licences of the locked packages, as SPDX says them, and which of them are allowed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata

from license_expression import ExpressionError, get_spdx_licensing

from release.lock import Locked

ALLOWED = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CNRI-Python", "ISC", "MIT"),
        *("MIT-0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
        # Of a file or library alone: it is used unchanged.
        *("Artistic-1.0-Perl", "LGPL-2.1-only", "LGPL-3.0-or-later", "MPL-2.0"),
    }
)
PERMISSIVE = ALLOWED - {"Artistic-1.0-Perl", "LGPL-2.1-only", "LGPL-3.0-or-later", "MPL-2.0"}
"""With these nothing is asked but to keep their texts, which the packages bring; whatever needs
another one is named in NOTICE."""

_DECLARED = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Artistic License": "Artistic-1.0-Perl",
    "GNU General Public License (GPL)": "GPL-2.0-or-later",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
"""What is said without SPDX's words."""
_READ = {
    "amqp": "BSD-3-Clause",
    "billiard": "BSD-3-Clause",
    "click-plugins": "BSD-3-Clause",
    "flower": "BSD-3-Clause",
    "itsdangerous": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "methodtools": "BSD-2-Clause",
    "prompt-toolkit": "BSD-3-Clause",
    "psycopg2-binary": "LGPL-3.0-or-later",
    "quickjs-ng": "MIT",
    "sqlparse": "BSD-3-Clause",
    "vine": "BSD-3-Clause",
    "wirerope": "BSD-2-Clause",
}
"""Packages whose metadata leave it open, and what the licence files in them say."""

_SPDX = get_spdx_licensing()


@dataclass(frozen=True)
class Licence:
    """What one package is under."""

    package: str
    version: str
    expression: str | None
    """SPDX's; None where it is not installed here, or says nothing that is known."""
    is_allowed: bool
    needs_notice: bool


def licences(packages: Iterable[Locked]) -> list[Licence]:
    """What the packages that are installed where this runs are under."""
    result = []
    for package in packages:
        if package.is_here:
            licence = expression(package.name)
            result.append(
                Licence(
                    package.name,
                    package.version,
                    licence,
                    is_met(licence, ALLOWED),
                    not is_met(licence, PERMISSIVE),
                )
            )
    return result


def expression(package: str) -> str | None:
    """A package's licence in SPDX's words, by what its metadata say."""
    if package in _READ:
        return _READ[package]
    try:
        metadata_json = metadata(package).json
    except PackageNotFoundError:
        return None
    if stated := metadata_json.get("license_expression"):
        return str(stated)
    classifiers = [
        classifier
        for classifier in metadata_json.get("classifier", ())
        if classifier.startswith("License :: ")
    ]
    last = [classifier.split(" :: ")[-1] for classifier in classifiers]
    named = [_DECLARED[name] for name in last if name in _DECLARED]
    if not named:
        # The first line: some have the whole text there.
        text = str(metadata_json.get("license", "")).strip().partition("\n")[0]
        named = [_DECLARED.get(text, text)]
    # Several classifiers are a choice.
    whole = " OR ".join(dict.fromkeys(named))
    return whole if _is_known(whole) else None


def is_met(licence: str | None, by: frozenset[str]) -> bool:
    """Whether an expression can be met by some licences alone."""
    if licence is None or not _is_known(licence):
        return False
    parsed = _SPDX.parse(licence)
    meaning = parsed.subs(
        {symbol: _SPDX.TRUE if symbol.key in by else _SPDX.FALSE for symbol in parsed.symbols}
    )
    return bool(meaning.simplify() == _SPDX.TRUE)


def _is_known(licence: str) -> bool:
    try:
        return bool(licence) and not _SPDX.unknown_license_keys(licence)
    except ExpressionError:
        return False
