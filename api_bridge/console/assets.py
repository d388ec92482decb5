"""The console's style sheet, script and pictures, at addresses that change with their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages load."""

    content: bytes
    media_type: str
    digest: str

    @property
    def headers(self) -> Mapping[str, str]:
        """What a browser may do with it: keep it, for another one has another address."""
        return {
            "Cache-Control": "public, max-age=31536000, immutable",
            "ETag": f'"{self.digest}"',
            "X-Content-Type-Options": "nosniff",
        }


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, _TYPES[path.suffix], hashlib.sha256(content).hexdigest()[:16])


ASSETS: Mapping[str, Asset] = MappingProxyType(
    {path.name: _read(path) for path in sorted(_FOLDER.iterdir())}
)


def address(name: str) -> str:
    """Where a page loads a file from."""
    return f"/console/static/{name}?v={ASSETS[name].digest}"
