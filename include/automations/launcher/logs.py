"""Prints the parts' logs."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from automations.launcher.run_state import NAME_WIDTH

TAIL = 200


def log_files(folder: Path, part: str | None) -> list[Path]:
    """The log of one part, or all of them."""
    paths = sorted(folder.glob("*.log"))
    if part is None:
        return paths
    chosen = [path for path in paths if path.stem == part]
    if not chosen:
        names = ", ".join(path.stem for path in paths) or "none yet"
        sys.exit(f"No log of {part!r}. There are: {names}.")
    return chosen


def show(folder: Path, part: str | None) -> int:
    """Print the end of each log, newest lines last."""
    files = log_files(folder, part)
    for path in files:
        for line in path.read_text(errors="replace").splitlines()[-TAIL:]:
            print(_label(path, line, len(files)))
    return 0


def follow(folder: Path, part: str | None, pause: float = 0.2) -> int:
    """Print what the logs get from now on, until interrupted."""
    files = log_files(folder, part)
    places = {path: path.stat().st_size for path in files}
    while True:
        for path in files:
            size = path.stat().st_size
            if size < places[path]:
                places[path] = 0  # It was rotated.
            with path.open("rb") as file:
                file.seek(places[path])
                text = file.read(size - places[path])
            whole = text[: text.rfind(b"\n") + 1]
            places[path] += len(whole)
            for line in whole.decode(errors="replace").splitlines():
                print(_label(path, line, len(files)), flush=True)
        time.sleep(pause)


def _label(path: Path, line: str, count: int) -> str:
    return line if count == 1 else f"{path.stem:<{NAME_WIDTH}} {line}"
