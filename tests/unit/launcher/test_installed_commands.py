"""The commands where the product is installed in an Airflow that others bring up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from automations.launcher import cli, parts
from automations.launcher.commands import installed_parser, parser
from automations.settings import home


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As if there were no checkout around the code."""
    for module in (home, cli, parts):
        monkeypatch.setattr(module, "IS_CHECKOUT", False)
    for name in ("AUTOMATIONS_HOME", "AUTOMATIONS_DATABASE_DSN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    return tmp_path / "airflow"


def commands(made: object) -> set[str]:
    (words,) = (action.choices for action in made._actions if action.choices)  # type: ignore[attr-defined]
    return set(words)


def test_what_brings_an_airflow_up_is_for_a_checkout_alone() -> None:
    both = commands(installed_parser()) & commands(parser())
    assert both == {
        *("migrate", "key", "invite", "verify-evidence", "prune"),
        *("apply", "diff", "export", "run"),
    }
    assert commands(installed_parser()) - both == {"leave"}


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("word", ["up", "down", "test", "_part"])
def test_a_command_of_the_checkout_is_none_there(word: str) -> None:
    with pytest.raises(SystemExit):
        cli.main([word])


def test_the_home_is_in_airflows_own(installed: Path) -> None:
    assert home.default_home() == installed / "automations"


def test_who_has_not_said_where_our_database_is_is_told_so(
    installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["migrate"]) == 1
    assert "AUTOMATIONS_DATABASE_DSN: must be the address" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("key", "--name", " "), "must have 1 to 200 characters"),
        (("key", "--name", "x" * 201), "must have 1 to 200 characters"),
        (("run", "a", "--timeout", "nan"), "must be a number of seconds"),
        (("run", "a", "--timeout", "1_0"), "must be a number of seconds"),
        (("run", "a", "--timeout", "-1"), "must be a number of seconds"),
    ],
)
def test_what_an_option_cannot_be_is_said(
    command: Sequence[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        parser().parse_args(command)
    assert left.value.code == 2
    assert told in capsys.readouterr().err
