"""File names made of what people write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automations.kit.filenames import file_name


@pytest.mark.parametrize(
    ("text", "extension", "name"),
    [
        ("Letter", "pdf", "Letter.pdf"),
        ("Umowa Źdźbło", "docx", "Umowa Źdźbło.docx"),
        ("Letter.pdf", "pdf", "Letter.pdf"),
        ("Letter.DOCX", "pdf", "Letter.pdf"),
        ("v1.2", "pdf", "v1.2.pdf"),
        ("../../etc/passwd", "pdf", "_.._etc_passwd.pdf"),
        ('a"; filename="b', "pdf", "a_; filename=_b.pdf"),
        ("a\r\nX-Evil: 1", "pdf", "a_X-Evil_ 1.pdf"),
        ("exe\u202efdp", "pdf", "exe_fdp.pdf"),
        (" . ", "pdf", "document.pdf"),
        ("", "pdf", "document.pdf"),
    ],
)
def test_a_name_is_kept_but_for_what_is_not_safe(text: str, extension: str, name: str) -> None:
    assert file_name(text, extension) == name


@given(st.text(st.characters(exclude_categories=[])))
def test_every_name_is_one_short_line_that_can_be_written(text: str) -> None:
    name = file_name(text, "pdf")
    assert name.endswith(".pdf")
    assert len(name.encode()) <= 204
    assert not set(name) & set('\r\n\0/\\"')
    assert not name.startswith(".")
