"""``./automations demo``: brings everything up and runs one of the demos."""

from __future__ import annotations

import requests
from rich.console import Console

from automations.launcher import stack
from automations.launcher.demo import Demo, DemoError
from automations.settings import Settings
from automations_client import ClientError


def show(name: str | None) -> int:
    """Bring the stack up if it is down, and show the main job, or the demo that is named."""
    console = Console()
    try:
        return _welcome(console) if name is None else _dependabot(console)
    except (DemoError, ClientError, requests.RequestException) as error:
        console.print(f"The demo failed: {error}", style="bold red", markup=False)
        console.print("See ./automations logs.")
        return 1


def _welcome(console: Console) -> int:
    settings = stack.open_home()
    if (code := stack.up(settings, console, detach=True)) != 0:
        return code
    demo = Demo(settings, _key(settings), console)
    demo.show_welcome()
    demo.show_approval()
    _end(console, "Both runs are COMPLETED")
    return 0


def _dependabot(console: Console) -> int:
    from automations.launcher.dependabot_demo import DependabotDemo, allow, new_source

    settings = stack.open_home()
    with new_source(settings).answering() as source:
        if source.address not in settings.http_allow and stack.is_up(settings):
            # What is up keeps the settings that it was started with, as after the other demo.
            console.print("What is up may not reach the demo's local source: it is started anew.")
            stack.down(settings, console)
        settings = allow(source)
        if (code := stack.up(settings, console, detach=True)) != 0:
            return code
        DependabotDemo(settings, _key(settings), console).show(source)
    _end(console, "Both syncs and both runs are COMPLETED")
    return 0


def _key(settings: Settings) -> str:
    return (settings.home / "owner.key").read_text().strip()


def _end(console: Console, text: str) -> None:
    console.rule(f"[bold green]{text}")
    console.print("./automations invite you@example.com prints a link to them in the console.")
    console.print("The stack goes on running; ./automations down stops it.")
