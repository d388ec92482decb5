"""The pages of figures: the numbers of the runs, as plots and as tables."""

from __future__ import annotations

import re

from api_bridge.console.views import plots
from automations.domain.statuses import RunStatus
from automations.services.workflows import workflows
from tests.console import things
from tests.console.conftest import Browser
from tests.console.sample import Sample
from tests.doubles import ports


def facts(browser: Browser) -> dict[str, str]:
    names = browser.root.xpath("//dl[@class='tiles']//dt/text()")
    return dict(zip(names, browser.root.xpath("//dl[@class='tiles']//dd/text()"), strict=True))


def test_the_page_has_the_numbers_of_the_api(owner: Browser, there: Sample) -> None:
    things.add_history(there)
    owner.open("/console/figures?period=quarter")
    _, counts = workflows.stats(there.workspace)
    assert facts(owner)["Runs"] == f"{sum(counts.values()):,}"
    (plot,) = owner.root.xpath("//section[@aria-labelledby='runs-title']//svg[@class='area']")
    assert f"{counts[RunStatus.COMPLETED]} completed" in plot.get("aria-label")
    assert f"{counts[RunStatus.FAILED]} failed" in plot.get("aria-label")


def test_a_plot_is_a_table_too(owner: Browser, there: Sample) -> None:
    things.add_history(there)
    owner.open("/console/figures?period=month")
    for name in ("runs", "durations", "costs"):
        section = f"//section[@aria-labelledby='{name}-title']"
        heads = owner.root.xpath(f"{section}//table//thead//th")
        rows = owner.root.xpath(f"{section}//table//tbody/tr")
        assert rows, name
        assert {len(row) for row in rows} == {len(heads)}, name
    rows = owner.root.xpath("//section[@aria-labelledby='runs-title']//tbody/tr")
    numbers = [int(cell.text) for row in rows for cell in row.findall("td")]
    assert f"{sum(numbers):,}" == facts(owner)["Runs"]


def test_one_automation_has_figures_of_its_own(owner: Browser, there: Sample) -> None:
    page = f"/console/workflows/{there.workflow}"
    owner.open(page)
    assert f"{page}/figures" in owner.root.xpath("//nav[@class='tabs']/a/@href")
    owner.open(f"{page}/figures")
    assert facts(owner)["Runs"] == "5"
    assert "Waiting for a decision" in owner.text
    owner.open(f"/console/workflows/{there.digest}/figures")
    assert "No runs in this period" in owner.text
    assert owner.open("/console/workflows/nothing/figures").status_code == 404


def test_a_time_is_chosen(owner: Browser, there: Sample) -> None:
    owner.open("/console/figures?period=day&until=2020-02-29")
    assert facts(owner)["Runs"] == "0"
    assert "from 29 Feb 2020, 00:00 to 1 Mar 2020, 00:00, UTC" in owner.text
    for wrong in ("period=decade", "until=soon", "until=9999-12-31", "until=0001-01-01"):
        assert owner.open(f"/console/figures?{wrong}").status_code == 400, wrong


def test_a_step_at_which_runs_failed_leads_to_the_newest_of_them(
    owner: Browser, there: Sample
) -> None:
    owner.open("/console/figures")
    (link,) = owner.root.xpath("//section[@aria-labelledby='failing-title']//tbody//a/@href")
    assert link == f"/console/runs/{there.runs['failed']}"


def test_no_column_leaves_its_plot(owner: Browser, there: Sample) -> None:
    things.add_history(there)
    owner.open("/console/figures?period=month")
    drawn = owner.root.xpath("//svg[@class='area']//rect[not(@class='whole')]")
    assert len(drawn) > 30
    for block in drawn:
        top, height = float(block.get("y")), float(block.get("height"))
        assert top >= 0
        assert top + height <= plots.HEIGHT


def test_an_automation_s_name_is_text_in_the_figures(owner: Browser, there: Sample) -> None:
    name = "<b>bold</b>"
    workflows.update(there.people["OWNER"], there.workflow, {"name": name}, ports())
    answer = owner.open("/console/figures")
    assert not re.search(r"<b>bold", answer.text)
    assert name in owner.text
