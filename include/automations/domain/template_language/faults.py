"""The errors of templates, without their place."""

from __future__ import annotations


class TemplateFault(ValueError):
    """The template cannot be rendered."""


class InvalidTemplate(TemplateFault):
    """The text is no template of this language.

    Args:
        line: where, counted from one.
    """

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(f"is not a valid template: {problem}")
        self.problem = problem
        self.line = line


class MissingName(TemplateFault):
    """The template needs something that is not there.

    Args:
        name: with its path, as ``input.rows``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is not there in this run")
        self.name = name
