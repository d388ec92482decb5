"""What the launcher shows: one line for each part, and a summary at the end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from automations.launcher.run_state import RunState
from automations.launcher.setup import owner_key_file
from automations.settings import Settings

MARKS = {"healthy": "[green]✓[/]", "done": "[green]✓[/]", "stopped": "[red]✗[/]"}


class Progress:
    """Prints a line whenever a part has reached a new state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: dict[str, tuple[str, int]] = {}

    def show(self, state: RunState) -> None:
        """Print what changed since the last call."""
        for name, part in state.parts.items():
            now = (part.state, part.pid)
            if part.state == "waiting" or self._shown.get(name) == now:
                continue
            self._shown[name] = now
            if part.state == "starting" or (part.state == "stopped" and state.failed_part):
                continue
            seconds = f"{part.seconds:6.1f} s" if part.state in ("healthy", "done") else ""
            mark = MARKS.get(part.state, "[yellow]![/]")
            if state.phase == "stopping":
                mark = "[dim]·[/]"
            self._console.print(f"{mark} {name:<14} {part.state:<10}{seconds}", highlight=False)


def show_summary(console: Console, settings: Settings, seconds: float | None) -> None:
    """Say where everything is and how to sign in."""
    table = Table.grid(padding=(0, 2))
    rows = {
        "API": settings.bridge_base,
        "API reference": f"{settings.bridge_base}/docs",
        "Airflow": f"{settings.airflow_base}  (admin / {settings.airflow_admin_password})",
    }
    if not settings.smtp_host:
        rows["Caught mail"] = settings.mail_base
    rows["Owner API key"] = str(owner_key_file(settings))
    rows["Logs"] = str(settings.home / "logs")
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/]", value)
    console.print()
    up = "Up." if seconds is None else f"Up after {seconds:.1f} s."
    console.print(f"[bold green]{up}[/]", highlight=False)
    console.print(table, highlight=False)


def show_tail(console: Console, log: Path, lines: int = 30) -> None:
    """Print the end of a log."""
    if not log.exists():
        return
    console.print(f"The end of {log}:", highlight=False, soft_wrap=True)
    text = log.read_text(errors="replace").splitlines()[-lines:]
    console.print("\n".join(text), markup=False, highlight=False, soft_wrap=True)
