"""Makes keys from names, such as ``unit_price`` from "Unit price"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from itertools import count

_MAX_NAME_LENGTH = 300
"""Characters of a name that its key is made of."""
_UNFIT = re.compile(r"[^a-z0-9]+")


def key_of(name: str, taken: Collection[str], *, otherwise: str, longest: int) -> str:
    """A key of a name's letters, and of a number where others have it already.

    Args:
        otherwise: for a name that has no letter which a key may have.
        longest: characters of the key, without its number.
    """
    letters = unicodedata.normalize("NFKD", name[:_MAX_NAME_LENGTH].casefold())
    plain = letters.encode("ascii", "ignore").decode()
    base = _UNFIT.sub("_", plain).strip("_")[:longest] or otherwise
    if base not in taken:
        return base
    return next(key for number in count(2) if (key := f"{base}_{number}") not in taken)
