"""The secrets that one attempt at a step uses: read when they are named, hidden when recorded.

What is recorded is also what later steps of the run see: a secret that a service echoes is ``***``
in ``steps.<name>``, so a step that needs the secret names it itself.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Set
from typing import TypeVar

import minijinja
from pydantic import BaseModel

from automations.domain.fields import SECRET_NAME, is_template
from automations.domain.templating import render, render_config, undeclared
from automations.errors import StepError
from automations.kit.masking import MASK, Masker
from automations.kit.values import JSON

ROOT = "secret"
_TAG = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_IN_SLICE = re.compile(r"\bsecret\.([A-Z][A-Z0-9_]{0,63})\[[^\]]*:")

Read = Callable[[Set[str]], Mapping[str, str]]
T = TypeVar("T")


def secrets_named(text: str) -> set[str]:
    """The secrets that a template names.

    Raises:
        ValueError: it takes them in another way than ``secret.NAME``.
        minijinja.TemplateError: it is no valid template.
    """
    if ROOT not in text:
        return set()
    # minijinja does not list what is in a slice.
    found = {name for tag in _TAG.findall(text) for name in _IN_SLICE.findall(tag)}
    for dotted in undeclared(text):
        root, _, name = dotted.partition(".")
        if root != ROOT:
            continue
        if not SECRET_NAME.fullmatch(name):
            raise ValueError("name one secret, as in {{secret.API_KEY}}")
        found.add(name)
    return found


class ReadOnce:
    """Reads each secret once, for the attempts that one process makes at a node."""

    def __init__(self, read: Read) -> None:
        # Loops make several attempts at once, which would each read what they all name.
        self._lock = threading.Lock()
        self._read = read
        self._known: dict[str, str] = {}
        self._missing: set[str] = set()

    def __call__(self, names: Set[str]) -> Mapping[str, str]:
        """The values of the named secrets, those that there are."""
        with self._lock:
            unread = set(names) - self._known.keys() - self._missing
            if unread:
                self._known.update(self._read(unread))
                self._missing |= unread - self._known.keys()
            return {name: self._known[name] for name in names if name in self._known}


class Redaction:
    """Renders templates that name secrets, and knows what must not be recorded afterwards.

    Args:
        read: gives the values of the named secrets, those that there are.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[str, str] = {}
        self._derived: set[str] = set()

    def render(
        self,
        value: JSON,
        names: Mapping[str, JSON],
        *,
        where: str,
        missing_ok: bool = False,
        html: bool = False,
    ) -> JSON:
        """As ``templating.render``, with the secrets that the value itself names.

        Raises:
            StepError: a secret is not there; names step, field and secret.
        """
        used = self._used(value, where, missing_ok)
        if not used:
            return render(value, names, where=where, missing_ok=missing_ok, html=html)
        real = render(value, {**names, ROOT: used}, where=where, missing_ok=missing_ok, html=html)
        # A filter may have changed a secret into what no masking can find: the difference tells.
        shown = self.shown(value, names, where=where, missing_ok=missing_ok, html=html)
        self._derived.update(_differences(real, shown))
        return real

    def shown(
        self,
        value: JSON,
        names: Mapping[str, JSON],
        *,
        where: str,
        missing_ok: bool = False,
        html: bool = False,
    ) -> JSON:
        """The same with ``***`` for each secret; ``***`` as a whole when that does not work."""
        used = dict.fromkeys(self._used(value, where, missing_ok), MASK)
        try:
            return render(
                value, {**names, ROOT: used}, where=where, missing_ok=missing_ok, html=html
            )
        except StepError:
            if not used:
                raise
            return MASK

    def config(
        self, config: BaseModel, names: Mapping[str, JSON], *, where: str
    ) -> tuple[dict[str, JSON], dict[str, JSON]]:
        """A step's config rendered: to be used, and as it may be recorded."""
        real = render_config(config, names, where=where, by=self.render)
        if not self._known:
            return real, real
        shown = render_config(config, names, where=where, by=self.shown)
        return real, self._masker().value(shown)

    def text(self, text: str) -> str:
        """A text as it may be recorded."""
        return self._masker().text(text)

    def outcome(self, outcome: T) -> T:
        """What a step answered, as it may be recorded."""
        return self._masker().fields(outcome) if self._known else outcome

    def _masker(self) -> Masker:
        return Masker({*self._known.values(), *self._derived})

    def _used(self, value: JSON, where: str, missing_ok: bool) -> dict[str, str]:
        wanted = {name: path for path, name in _named(value, where)}
        unread = wanted.keys() - self._known.keys()
        if unread:
            self._known.update(self._read(unread))
        for name, path in wanted.items():
            if name not in self._known and not missing_ok:
                raise StepError(
                    f"{path}: there is no secret {name}. An administrator can set it by "
                    f"PUT /api/secrets/{name}.",
                    kind="secret",
                )
        return {name: self._known[name] for name in wanted if name in self._known}


def _named(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _named(item, f"{path}.{index}")
    elif is_template(value):
        try:
            for name in secrets_named(value):
                yield path, name
        except ValueError as error:
            raise StepError(f"{path}: {error}", kind="secret") from error
        except minijinja.TemplateError:
            return  # rendering says what is wrong with it


def _differences(real: JSON, shown: JSON) -> Iterator[str]:
    """The texts in a rendered value that come from its secrets."""
    if isinstance(real, dict):
        for key, item in real.items():
            yield from _differences(item, shown.get(key) if isinstance(shown, dict) else None)
    elif isinstance(real, list):
        alike = isinstance(shown, list) and len(shown) == len(real)
        for index, item in enumerate(real):
            yield from _differences(item, shown[index] if alike else None)
    elif isinstance(real, str) and real != shown:
        yield _changed(real, shown) if isinstance(shown, str) else real


def _changed(real: str, shown: str) -> str:
    """What is between the beginning and the end that two texts share."""
    shortest = min(len(real), len(shown))
    start = next((at for at in range(shortest) if real[at] != shown[at]), shortest)
    end = next(
        (at for at in range(shortest - start) if real[-1 - at] != shown[-1 - at]),
        shortest - start,
    )
    return real[start : len(real) - end]
