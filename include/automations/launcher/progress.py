"""What the launcher prints: one line per part, and a summary at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from automations.launcher.run_state import NAME_WIDTH, PartState, Phase, RunState
from automations.launcher.setup import owner_key_file
from automations.settings import Settings

MARKS = {"healthy": "[green]✓[/]", "done": "[green]✓[/]", "stopped": "[red]✗[/]"}


class Progress:
    """Prints a line whenever a part has reached a new state."""

    def __init__(self, console: Console, state: RunState | None = None) -> None:
        self._console = console
        parts = {} if state is None else state.parts
        self._shown = {name: (part.state, part.pid) for name, part in parts.items()}

    def show(self, state: RunState) -> None:
        """Print what changed since the last call."""
        changed = {
            name: part
            for name, part in state.parts.items()
            if part.state != "waiting" and self._shown.get(name) != (part.state, part.pid)
        }
        self._shown |= {name: (part.state, part.pid) for name, part in changed.items()}
        if state.failed_part:  # What fails a start is said at its end, not how the rest stops.
            changed = {n: p for n, p in changed.items() if p.state not in ("stopping", "stopped")}
        for name, part in changed.items():
            if part.state not in ("starting", "stopping"):
                self._line(name, part, state.phase)
        # They are asked together, and some take a while: it is these that are waited for.
        if stopping := [name for name, part in changed.items() if part.state == "stopping"]:
            self._console.print(f"Stopping {', '.join(stopping)}.", highlight=False)

    def _line(self, name: str, part: PartState, phase: Phase) -> None:
        # The last part may be seen to have stopped when all have.
        ends = phase in ("stopping", "down")
        took = part.state in ("healthy", "done") or ends
        seconds = f"{part.seconds:6.1f} s" if took else ""
        mark = "[dim]·[/]" if ends else MARKS.get(part.state, "[yellow]![/]")
        self._console.print(
            f"{mark} {name:<{NAME_WIDTH}} {part.state:<10}{seconds}", highlight=False
        )


def show_summary(console: Console, settings: Settings, seconds: float | None) -> None:
    """Say where everything is and how to sign in."""
    rows = {
        "Console": f"{settings.bridge_base}/console  (./automations invite you@example.com)",
        "API": settings.bridge_base,
        "API reference": f"{settings.bridge_base}/docs",
        "Airflow": f"{settings.airflow_base}  (admin / {settings.airflow_admin_password})",
    }
    if not settings.smtp_host:
        rows["Caught mail"] = settings.mail_base
    rows["Owner API key"] = str(owner_key_file(settings))
    rows["Logs"] = str(settings.home / "logs")
    console.print()
    up = "Up." if seconds is None else f"Up after {seconds:.1f} s."
    console.print(f"[bold green]{up}[/]", highlight=False)
    for name, value in rows.items():
        # Whole on one line, however narrow the window: it is copied.
        console.print(f"[bold]{name:<13}[/]  {value}", highlight=False, soft_wrap=True)


def show_tail(console: Console, log: Path, lines: int = 30) -> None:
    """Print the end of a log."""
    if not log.exists():
        return
    console.print(f"The end of {log}:", highlight=False, soft_wrap=True)
    text = log.read_text(errors="replace").splitlines()[-lines:]
    console.print("\n".join(text), markup=False, highlight=False, soft_wrap=True)
