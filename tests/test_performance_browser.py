"""The workbench of /performance in a browser: the slider moves the counts, the costs their mark, a dot leads on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_support import chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from pages_support import THRESHOLD, pages_stores
from performance_support import all_test
from playwright.sync_api import Page, expect

__all__ = ["all_test", "pages_stores"]
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def server(all_test: Path) -> Iterator[str]:
    with chromium_browser(), streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(all_test)}) as url:
        yield url


def opened(page: Page, server: str, query: str = "") -> None:
    page.goto(f"{server}/performance{query}")
    page.get_by_test_id("provenance").wait_for()
    idle(page)


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def alarms(page: Page) -> int:
    """Right and false alarms of the confusion matrix."""
    cells = page.locator(".st-key-cell-right-hit strong, .st-key-cell-wrong-false strong").all_inner_texts()
    return sum(int(text.replace(",", "")) for text in cells)


def theory_mark(page: Page) -> float:
    """Where the dashed line of the decision curve stands."""
    page.locator('[class*="chart-Decision"] .js-plotly-plot .main-svg').first.wait_for()
    return float(
        page.evaluate(
            """() => document.querySelector('[class*="chart-Decision"] .js-plotly-plot')
                .layout.shapes.find(shape => shape.line.dash === 'dash').x0"""
        )
    )


def test_the_threshold_moves_the_matrix_and_stands_in_the_link(server: str, page: Page, all_test: Path) -> None:
    def wanted(cut: float) -> int:
        with sqlite3.connect(all_test / "cohort.db") as database:
            query = "SELECT count(*) FROM prediction JOIN sample USING (sample_id) WHERE label IS NOT NULL AND p >= "
            return int(database.execute(f"{query} CASE path WHEN 'both' THEN ? ELSE 0.5 END", (cut,)).fetchone()[0])

    opened(page, server)
    assert alarms(page) == wanted(THRESHOLD)
    handle = page.get_by_role("slider", name="Threshold with ECG")
    handle.focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**at=*")
    idle(page)
    cut = float(parameters(page)["at"][0])
    assert cut > THRESHOLD + 0.1
    assert alarms(page) == wanted(cut) < wanted(THRESHOLD)
    with chromium_page() as other:
        other.goto(page.url)
        other.get_by_test_id("provenance").wait_for()
        idle(other)
        assert alarms(other) == wanted(cut)


def test_the_cost_of_a_miss_moves_the_mark_and_a_click_uses_it(server: str, page: Page) -> None:
    opened(page, server)
    assert theory_mark(page) == pytest.approx(0.5)
    cost = page.locator(".st-key-cost input")
    cost.fill("4")
    cost.press("Enter")
    page.wait_for_url("**cost=4*")
    idle(page)
    assert theory_mark(page) == pytest.approx(0.2)
    before = alarms(page)
    page.get_by_role("button", name="Use the theoretical").click()
    page.wait_for_url("**at=0.2*")
    idle(page)
    assert (parameters(page)["at"], parameters(page)["at_ehr"]) == (["0.2"], ["0.2"])
    assert alarms(page) > before
    expect(page.get_by_text("At 0.20, ")).to_be_visible()


def follow(page: Page, name: str) -> None:
    """A click on a cell of the confusion matrix leads to as many stays."""
    cell = page.locator(f".st-key-cell-{name} a")
    n = cell.locator("strong").inner_text()
    cell.click()
    page.wait_for_url("**/cohort?**")
    expect(page.get_by_test_id("cohort-count").locator("b")).to_have_text(n)
    idle(page)


def test_a_cell_leads_to_its_stays_and_one_step_back(server: str, page: Page) -> None:
    opened(page, server, "?at=0.3")
    follow(page, "right-hit")
    opened(page, server)
    for name in ("right-hit", "wrong-false", "wrong-miss", "right-calm"):
        follow(page, name)
        page.go_back()
        page.get_by_test_id("provenance").wait_for()
        idle(page)
        assert urlsplit(page.url).path == "/performance"


def test_a_cell_shows_its_stays_whatever_was_filtered_before(server: str, page: Page) -> None:
    def go(title: str) -> None:
        if title == "Performance":
            page.get_by_text("Model", exact=True).first.click()
        page.get_by_text(title, exact=True).first.click()
        page.wait_for_url(f"**/{title.lower()}*")
        page.get_by_test_id("provenance").wait_for()
        idle(page)

    page.goto(f"{server}/cohort?split=train&thr=0.9")
    idle(page)
    page.get_by_role("button", name="Women", exact=True).click()
    page.wait_for_url("**sex=Women**")
    idle(page)
    go("Performance")
    go("Cohort")
    assert parameters(page)["sex"] == ["Women"], "the menu leads back to what was left"
    go("Performance")
    follow(page, "right-hit")
    assert "sex" not in parameters(page)


def click_dot(page: Page, label: str) -> None:
    """Click the dot of a row of the forest plot."""
    page.locator('[class*="chart-strata"] .points path').first.wait_for()
    where = page.evaluate(
        """(label) => {
            const plot = document.querySelector('[class*="chart-strata"] .js-plotly-plot');
            plot.scrollIntoView({block: 'center'});
            const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
            for (const trace of plot._fullData) {
                const i = (trace.text || []).indexOf(label);
                if (i >= 0) return {x: box.x + xaxis._offset + xaxis.l2p(trace.x[i]),
                                    y: box.y + yaxis._offset + yaxis.l2p(trace.y[i])};
            }
        }""",
        label,
    )
    page.mouse.move(where["x"], where["y"])
    page.wait_for_timeout(300)
    page.mouse.click(where["x"], where["y"])


@pytest.mark.parametrize(
    ("query", "label", "condition"),
    [
        ("?by=Sex&measure=Sensitivity", "women", "sex = 'F'"),
        ("?by=Age+%28years%29", "45-64", "age_years BETWEEN 45 AND 64"),
        ("?without_deaths=true", "All stays", "NOT died_before_cut"),
    ],
)
def test_a_dot_of_the_forest_leads_to_as_many_stays(
    server: str, page: Page, all_test: Path, query: str, label: str, condition: str
) -> None:
    opened(page, server, query)
    click_dot(page, label)
    page.wait_for_url("**/cohort?**")
    idle(page)
    shown = int(page.get_by_test_id("cohort-count").locator("b").inner_text().replace(",", ""))
    with sqlite3.connect(all_test / "cohort.db") as database:
        wanted = database.execute(
            "SELECT count(*) FROM sample JOIN subject USING (subject_id) JOIN stay USING (stay_id) "
            f"WHERE label IS NOT NULL AND {condition}"
        ).fetchone()[0]
    assert shown == wanted > 20


def test_the_page_fits_a_phone_in_the_dark(server: str) -> None:
    with chromium_page(390, 844, "dark") as page:
        opened(page, server, "?prevalence=10&cost=3&by=Race")
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        assert page.get_by_test_id("stException").count() == 0
