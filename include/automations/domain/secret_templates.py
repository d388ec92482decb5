"""The secrets of one attempt at a step: read when they are named, masked when recorded.

Later steps of the run see only what is recorded: a secret that a service echoes is ``***`` in
``steps.<name>``, so a step that needs the secret must name it itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from types import MappingProxyType
from typing import TypeVar

from jinja2 import nodes
from pydantic import BaseModel

from automations.domain.fields import SECRET_NAME, is_template
from automations.domain.template_language import grammar
from automations.domain.template_language.faults import InvalidTemplate
from automations.domain.template_language.meter import Meter
from automations.domain.template_language.names import data_paths
from automations.domain.template_language.names import path as dotted
from automations.domain.templating import Kind, render, render_config
from automations.errors import StepError
from automations.kit.masking import MASK, Masker
from automations.kit.values import JSON

ROOT = "secret"

Read = Callable[[Set[str]], Mapping[str, str]]
T = TypeVar("T")


def secrets_named(text: str) -> set[str]:
    """The secrets that a template names.

    Raises:
        InvalidTemplate: it is no template.
        ValueError: it names them in another way than ``secret.NAME``.
    """
    if ROOT not in text:
        return set()
    tree = grammar.parse(text)
    paths = {tuple(path) for root, *path in data_paths(tree) if root == ROOT}
    in_brackets = any(dotted(item.node) == [ROOT] for item in tree.find_all(nodes.Getitem))
    if in_brackets or any(len(path) != 1 or not SECRET_NAME.fullmatch(path[0]) for path in paths):
        raise ValueError("name one secret, as in {{secret.API_KEY}}")
    return {name for (name,) in paths}


def names_secrets(value: JSON) -> bool:
    """Whether a template in a value names a secret."""
    return next(_find_names(value, ""), None) is not None


class ReadOnce:
    """Reads each secret once, for all attempts that one process makes at a node."""

    def __init__(self, read: Read) -> None:
        # The concurrent attempts of a loop would otherwise each read the same secrets.
        self._lock = threading.Lock()
        self._read = read
        self._known: dict[str, str] = {}
        self._missing: set[str] = set()

    def __call__(self, names: Set[str]) -> Mapping[str, str]:
        """The values of those of the named secrets that exist."""
        with self._lock:
            unread = set(names) - self._known.keys() - self._missing
            if unread:
                self._known.update(self._read(unread))
                self._missing |= unread - self._known.keys()
            return {name: self._known[name] for name in names if name in self._known}


class Redaction:
    """Renders an attempt's templates, and masks what must not be recorded afterwards.

    All templates of an attempt share one limit of work.

    Args:
        read: returns the values of those of the named secrets that exist.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._meter = Meter()
        self._known: dict[str, str] = {}
        self._derived: set[str] = set()

    def render(
        self,
        value: JSON,
        names: Mapping[str, JSON],
        *,
        where: str,
        missing_ok: bool = False,
        kind: Kind = Kind.PLAIN,
    ) -> JSON:
        """As ``templating.render``, with the secrets that the value itself names.

        Raises:
            StepError: a secret is not there; names step, field and secret.
        """
        used = self._used_secrets(value, where, missing_ok)
        if not used:
            return self._render(value, names, where, missing_ok, kind)
        real = self._render(value, {**names, ROOT: used}, where, missing_ok, kind)
        # A filter may have changed a secret beyond what masking can find: so the rendering is
        # compared with one in which the secrets are masked.
        shown = self.render_masked(value, names, where=where, missing_ok=missing_ok, kind=kind)
        self._derived.update(_differences(real, shown))
        return real

    def render_masked(
        self,
        value: JSON,
        names: Mapping[str, JSON],
        *,
        where: str,
        missing_ok: bool = False,
        kind: Kind = Kind.PLAIN,
    ) -> JSON:
        """Render with ``***`` for each secret; just ``***`` if that cannot be rendered."""
        used = dict.fromkeys(self._used_secrets(value, where, missing_ok), MASK)
        try:
            return self._render(value, {**names, ROOT: used}, where, missing_ok, kind)
        except StepError:
            if not used:
                raise
            return MASK

    def _render(
        self, value: JSON, names: Mapping[str, JSON], where: str, missing_ok: bool, kind: Kind
    ) -> JSON:
        return render(
            value, names, where=where, missing_ok=missing_ok, kind=kind, meter=self._meter
        )

    def config(
        self,
        config: BaseModel,
        names: Mapping[str, JSON],
        *,
        where: str,
        already_rendered: Mapping[str, JSON] = MappingProxyType({}),
    ) -> tuple[dict[str, JSON], dict[str, JSON]]:
        """Render a step's config; returns it for use, and in its recordable form.

        Args:
            already_rendered: fields that were rendered before, which are taken as they are.
        """
        real = render_config(
            config, names, where=where, by=self.render, already_rendered=already_rendered
        )
        if not self._known:
            return real, real
        shown = render_config(
            config, names, where=where, by=self.render_masked, already_rendered=already_rendered
        )
        return real, self._masker().value(shown)

    def hide(self, values: Iterable[str]) -> None:
        """Mask these values, too, which the step got in another way."""
        self._derived.update(values)

    def text(self, text: str) -> str:
        """A text in its recordable form."""
        return self._masker().text(text)

    def outcome(self, outcome: T) -> T:
        """A step's outcome in its recordable form."""
        return self._masker().fields(outcome) if self._known or self._derived else outcome

    def _masker(self) -> Masker:
        return Masker({*self._known.values(), *self._derived})

    def _used_secrets(self, value: JSON, where: str, missing_ok: bool) -> dict[str, str]:
        paths_by_name = {name: path for path, name in _find_names(value, where)}
        unread = paths_by_name.keys() - self._known.keys()
        if unread:
            self._known.update(self._read(unread))
        for name, path in paths_by_name.items():
            if name not in self._known and not missing_ok:
                raise StepError(
                    f"{path}: there is no secret {name}. An administrator can set it by "
                    f"PUT /api/secrets/{name}.",
                    kind="secret",
                )
        return {name: self._known[name] for name in paths_by_name if name in self._known}


def _find_names(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _find_names(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _find_names(item, f"{path}.{index}")
    elif is_template(value):
        try:
            for name in secrets_named(value):
                yield path, name
        except InvalidTemplate:
            return  # rendering says what is wrong with it
        except ValueError as error:
            raise StepError(f"{path}: {error}", kind="secret") from error


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
        yield _difference(real, shown) if isinstance(shown, str) else real


def _difference(real: str, shown: str) -> str:
    """The part of a text between the prefix and the suffix that it shares with another."""
    shortest = min(len(real), len(shown))
    start = next((at for at in range(shortest) if real[at] != shown[at]), shortest)
    end = next(
        (at for at in range(shortest - start) if real[-1 - at] != shown[-1 - at]),
        shortest - start,
    )
    return real[start : len(real) - end]
