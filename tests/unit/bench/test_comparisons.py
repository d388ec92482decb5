"""What ``./automations bench compare`` keeps, and the page that is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.compare import report
from tests.bench.compare.plot import plot
from tests.bench.compare.results import Results, Taken
from tests.bench.compare.shapes import Shape, shapes

FIVE, BURST = Shape("chain", 5), Shape("burst", 5, 100)


def taken(seconds: float) -> Taken:
    return Taken(seconds, processor=0.5, megabytes=900, load=1.5)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    found = Results(tmp_path / "figures.json")
    for seconds in (0.2, 0.4, 0.3):
        found.add(FIVE, report.OURS, taken(seconds))
    found.add(FIVE, report.STOCK, taken(6.6))
    found.add(BURST, report.OURS, taken(5.0))
    return found


def test_a_later_call_adds_to_the_file_and_replaces_what_it_measures(
    results: Results, tmp_path: Path
) -> None:
    later = Results(tmp_path / "figures.json")
    assert later.ratio(FIVE, report.OURS, report.STOCK) == pytest.approx(22)
    later.add(FIVE, report.OURS, taken(0.6))
    again = Results(tmp_path / "figures.json")
    assert again.seconds(FIVE, report.OURS) == pytest.approx(0.6)
    assert again.seconds(BURST, report.OURS) == pytest.approx(5)
    assert again.at == later.at


def test_a_target_is_met_or_missed_only_beside_stock_airflow(results: Results) -> None:
    assert report.is_met(results, FIVE) is True
    assert report.is_met(results, BURST) is None
    results.add(BURST, report.STOCK, taken(50))
    assert report.is_met(results, BURST) is False


def test_the_page_has_a_row_of_each_and_what_holds_it(results: Results) -> None:
    page = report.page(results)
    assert "| 5 steps | run ahead | 0.30 (0.20 to 0.40) | 16.7 | 100 | 900 | 22.0 | ≥ 20 |" in page
    assert "| 5 steps | stock Airflow | 6.60 (once) | 0.8 | 100 | 900 |  |  |" in page
    assert "| 100 runs of 5 steps | run ahead | 5.00 (once) | 100.0 | 1 | 900 |  | ≥ 12 |" in page
    assert "* **burst**: processor time" in page
    assert "**loop**" not in page


def test_the_plot_has_a_bar_of_each_and_is_well_formed(results: Results) -> None:
    from lxml import etree

    drawn = etree.fromstring(plot(results.rows()).encode())
    bars = drawn.findall("{*}rect")
    # The ground, a colour of each engine, and the bars: the longer it took, the longer.
    assert len(bars) == 1 + 2 + 3
    quick, slow = (float(bar.get("width")) for bar in bars[3:5])
    assert quick < slow


def test_quick_shapes_are_measured_first() -> None:
    found = shapes(["burst", "chain", "branch"], [5, 40], [100, 20], 10)
    assert [shape.name for shape in found] == [
        "branch",
        "5 steps",
        "40 steps",
        "20 runs of 5 steps",
        "100 runs of 5 steps",
    ]


def test_the_page_says_which_parts_use_the_processor_in_the_largest_burst() -> None:
    results = Results()
    for runs, worker in ((100, 2.0), (500, 6.0)):
        parts = {"airflow scheduler": 1.0, "airflow worker": worker, "mail_catcher": 0.01}
        parts |= {"postgres: server": 0.25, "postgres: automations airflow": 0.25}
        results.add(Shape("burst", 5, runs), "run ahead", Taken(9.0, 7.0, 900, 1.5, parts))
    told = report.page(results).partition("## Processor time by part")[2]
    assert "for 500 runs of 5 steps" in told
    assert told.splitlines()[-3:] == [
        "| run ahead | airflow worker | 12.0 |",
        "| run ahead | airflow scheduler | 2.0 |",
        "| run ahead | PostgreSQL | 1.0 |",
    ]


def test_what_was_measured_without_parts_is_read_and_says_nothing_of_them(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    Results(file).add(BURST, "run ahead", taken(2.0))
    assert "Processor time by part" not in report.page(Results(file))
