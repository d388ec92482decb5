"""Which passwords are refused as too easy to guess."""

from __future__ import annotations

import pytest

from automations.kit.passwords import is_guessable
from tests.hostile import passwords as hostile

ADA = ("ada.lovelace@analytical.example", "Ada Lovelace", "automations", "airflow")


@pytest.mark.parametrize("password", hostile.GUESSED)
def test_what_somebody_would_come_to_is_refused(password: str) -> None:
    assert is_guessable(password, ADA)


@pytest.mark.parametrize("password", hostile.GOOD)
def test_what_nobody_comes_to_is_taken(password: str) -> None:
    assert not is_guessable(password, ADA)
