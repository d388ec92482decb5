"""Query parameters of paged lists."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Cursor = Annotated[str | None, Field(max_length=500)]
Limit = Annotated[int, Field(ge=1, le=100)]
Behind = Annotated[
    str | None, Field(max_length=500, description="As in the Link header of the page before.")
]
PageNumber = Annotated[int, Field(ge=1, le=1_000_000)]
