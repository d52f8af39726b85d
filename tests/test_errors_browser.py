"""The page of errors in a real browser: a row or a cell is chosen, its stays are listed, a link brings them back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_support import violations
from browser_support import chromium_browser, chromium_page, find_chromium, identities, idle, streamlit_server
from case_browser_support import arrived
from errors_support import PLANTED, errors_home
from pages_support import RUN, pages_stores
from playwright.sync_api import Page, expect

__all__ = ["errors_home", "pages_stores"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def server(errors_home: Path) -> Iterator[str]:
    with (
        chromium_browser(),
        streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(errors_home)}) as url,
    ):
        yield url


def open_at(page: Page, url: str) -> None:
    page.goto(url)
    idle(page)


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def pick_row(page: Page, row: int) -> None:
    """Tick the box at the head of a row of the first table; header and rows are 35 px tall."""
    page.get_by_test_id("stDataFrame").first.scroll_into_view_if_needed()
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 35 * (row + 1) + 18)
    idle(page)


def listed(page: Page) -> list[dict[str, list[str]]]:
    """The parameters of the links in the list of cases."""
    table = page.locator(".st-key-error-group").get_by_test_id("stDataFrame")
    table.locator("[role=gridcell]").first.wait_for(state="attached")
    cells = table.locator("[data-testid^=glide-cell-0-]").all_text_contents()
    return [parse_qs(urlsplit(text).query) for text in cells]


def heading(page: Page) -> str:
    return page.locator(".st-key-error-group h3").inner_text()


def test_a_chosen_slice_lists_its_stays_and_a_copied_link_brings_them_back(
    server: str, page: Page, errors_home: Path
) -> None:
    open_at(page, f"{server}/errors?fewest=10")
    assert heading(page).startswith("All stays")
    pick_row(page, 0)
    assert parameters(page)["group"] == [",".join(PLANTED)]
    wanted = sqlite3.connect(errors_home / "cohort.db").execute(
        "SELECT count(*) FROM sample JOIN stay USING (stay_id) JOIN subject ON subject.subject_id = stay.subject_id "
        "WHERE sex = 'F' AND first_careunit LIKE '%(CCU)'"
    )
    n = wanted.fetchone()[0]
    expect(page.locator(".st-key-error-group h3")).to_contain_text(f"women, CCU: {n} stays")
    before = listed(page)
    assert 10 < len(before) <= n, "the rows in sight have a twin that can be read"
    with chromium_page() as other:
        open_at(other, page.url)
        assert heading(other) == heading(page) and listed(other) == before
    page.get_by_role("button", name="All stays again").click()
    idle(page)
    assert "group" not in parameters(page) and heading(page).startswith("All stays")


def test_a_listed_stay_opens_its_own_case_of_the_same_run(server: str, page: Page) -> None:
    open_at(page, f"{server}/errors?panel=Largest+errors")
    first = listed(page)[0]
    assert first["run"] == [RUN]
    open_at(page, f"{server}/case?stay={first['stay'][0]}&run={RUN}")
    arrived(page, int(first["stay"][0]))
    assert identities(page) == {(first["stay"][0], RUN)}


def test_a_change_of_the_error_never_turns_a_chosen_row_into_another_group(server: str, page: Page) -> None:
    open_at(page, f"{server}/errors?fewest=10")
    pick_row(page, 0)
    page.get_by_text("Wrong at the threshold", exact=True).click()
    idle(page)
    assert parameters(page)["group"] == [",".join(PLANTED)]
    assert heading(page).startswith("women, CCU")


def test_a_clicked_cell_lists_its_stays(server: str, page: Page) -> None:
    open_at(page, f"{server}/errors?panel=Two+factors&down=Sex&across=Age")
    points = page.locator(".stPlotlyChart .scatterlayer .point")
    expect(points).to_have_count(8)
    box = points.nth(1).bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".st-key-error-group h3")).to_contain_text("age 45–64")
    idle(page)
    code = parameters(page)["group"][0]
    assert code in ("sex:F,age:45", "sex:M,age:45")
    assert heading(page).startswith({"F": "women", "M": "men"}[code[4]])


def test_only_the_open_panel_is_there_and_the_link_names_it(server: str, page: Page) -> None:
    open_at(page, f"{server}/errors")
    for panel, says in (("Error tree", "chose the splits"), ("Disagreement", "Who was right")):
        page.get_by_role("tab", name=panel).click()
        idle(page)
        expect(page.get_by_text(says)).to_be_visible()
        assert parameters(page)["panel"] == [panel]
    expect(page.get_by_text("chose the splits")).to_have_count(0)


def test_a_row_of_who_was_right_lists_as_many_stays_as_it_counts(server: str, page: Page) -> None:
    open_at(page, f"{server}/errors?panel=Disagreement")
    table = page.get_by_test_id("stDataFrame").first
    table.locator("[role=gridcell]").first.wait_for(state="attached")
    n = table.get_by_test_id("glide-cell-4-3").text_content()
    pick_row(page, 3)
    assert parameters(page)["group"] == ["right:ecg,wrong:ehr,wrong:fused"]
    expect(page.locator(".st-key-error-group h3")).to_contain_text(f"whole model wrong: {n} stays")


PANELS = ("Slices", "Error tree", "Two factors", "Disagreement", "Largest errors")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_panel(server: str, scheme: Literal["light", "dark"]) -> None:
    with chromium_page(color_scheme=scheme) as page:
        for panel in PANELS:
            open_at(page, f"{server}/errors?panel={panel.replace(' ', '+')}&group=sex:F")
            page.wait_for_timeout(800)  # charts are drawn after the page is at rest
            assert violations(page, {}) == [], panel
        assert page.lemof_failures == [] and page.lemof_outside_requests == []  # type: ignore[attr-defined]


def test_no_panel_scrolls_sideways_on_a_phone(server: str) -> None:
    with chromium_page(390, 844) as page:
        for panel in PANELS:
            open_at(page, f"{server}/errors?panel={panel.replace(' ', '+')}")
            page.wait_for_timeout(800)
            assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390, panel
