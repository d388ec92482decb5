"""The newcomer's map in docs/architecture.md leads to what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAP = (ROOT / "docs" / "architecture.md").read_text()
QUESTIONS = {
    question: part.split("\n## ")[0]
    for question, part in re.findall(
        r"^### (.+?)\n(.*?)(?=^### |\Z)",
        MAP[MAP.index("## Start here") :],
        re.MULTILINE | re.DOTALL,
    )
}
ENTRY = re.compile(r"^\d+\. `(?P<path>[\w/]+\.py)` — (?:`(?P<name>\w+)`)?", re.MULTILINE)


def entries(question: str) -> list[re.Match[str]]:
    return list(ENTRY.finditer(QUESTIONS[question]))


def test_the_map_answers_twelve_questions() -> None:
    assert len(QUESTIONS) == 12


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_answer_is_a_list_of_files_that_exist(question: str) -> None:
    steps = re.findall(r"^\d+\. ", QUESTIONS[question], re.MULTILINE)
    found = entries(question)
    assert len(found) == len(steps) >= 3, "every line names a file"
    assert [match["path"] for match in found if not (ROOT / match["path"]).is_file()] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_function_that_an_answer_names_is_in_its_file(question: str) -> None:
    named = [(match["path"], match["name"]) for match in entries(question) if match["name"]]
    absent = [
        (path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text()
    ]
    assert absent == []


@pytest.mark.parametrize(
    ("what", "folder"),
    [("plugin", "plugins/automations_airflow"), ("launcher", "include/automations/launcher")],
)
def test_every_module_and_folder_of_a_part_is_in_its_table_once(what: str, folder: str) -> None:
    part = MAP.partition(f"### Inside the {what}")[2].partition("\n##")[0]
    rows = "\n".join(line for line in part.splitlines() if line.startswith("|"))
    modules = [path for path in (ROOT / folder).rglob("*.py") if path.stem[0] != "_"]
    folders = {path.parent for path in modules} - {ROOT / folder}
    names = [path.stem for path in (*modules, *folders)]
    assert sorted(re.findall(r"`(\w+)`", rows)) == sorted(names)


def test_every_module_and_folder_at_the_top_of_the_bridge_is_in_its_table_once() -> None:
    part = MAP.partition("### Inside the bridge")[2].partition("\n##")[0]
    rows = "\n".join(line for line in part.splitlines() if line.startswith("|"))
    top = [path for path in (ROOT / "api_bridge").iterdir() if path.stem[0] != "_"]
    assert sorted(re.findall(r"`(\w+)`", rows)) == sorted(path.stem for path in top)


def test_every_layer_of_the_product_is_in_the_table() -> None:
    table = MAP[MAP.index("## The layers") : MAP.index("## Start here")]
    folders = {
        path.name
        for path in (ROOT / "include" / "automations").iterdir()
        if path.is_dir() and path.name != "__pycache__"
    }
    assert {name for name in folders if f"`{name}" not in table} == set()
