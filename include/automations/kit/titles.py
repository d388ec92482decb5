"""The type of titles and names: not blank."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

NOT_BLANK = r"\S"

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NOT_BLANK),
]
"""The name of something; blanks around it are left out."""

WrittenName = Annotated[
    str,
    Field(min_length=1, max_length=200, strict=True, json_schema_extra={"pattern": NOT_BLANK}),
]
"""A name in a definition, kept as it was written; ``checking`` refuses blanks only."""
