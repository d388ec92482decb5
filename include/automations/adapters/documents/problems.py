"""The problems of templates and documents, as the child process reports them."""

from __future__ import annotations


class DocumentProblem(Exception):
    """A document could not be made; the text is for people."""

    kind = "document"


class TemplateProblem(DocumentProblem):
    """The mistake is in the template, or in what it was given."""

    kind = "template"
