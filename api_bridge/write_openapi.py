"""``python -m api_bridge.write_openapi FILE``: writes the description of the API."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from fastapi import FastAPI

from api_bridge.openapi.description import description


def text(app: FastAPI) -> str:
    """The document as it is committed."""
    return json.dumps(description(app), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write the document to the file that is named."""
    from api_bridge.app import app

    Path(sys.argv[1]).write_text(text(app))


if __name__ == "__main__":
    main()
