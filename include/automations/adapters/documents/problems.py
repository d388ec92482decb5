"""What can go wrong with a template or a document, as the child reports it."""

from __future__ import annotations


class DocumentProblem(Exception):
    """A document could not be made; the text is for people."""

    kind = "document"


class TemplateProblem(DocumentProblem):
    """The mistake is in the template, or in what it was given."""

    kind = "template"
