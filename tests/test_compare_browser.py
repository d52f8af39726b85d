"""The comparison of two runs in a real browser: links that keep both versions, swaps, and never another patient."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_support import violations
from browser_support import chromium_browser, chromium_page, find_chromium, identities, idle, streamlit_server
from compare_support import OTHER, CompareStore, compare_store
from pages_support import RUN, pages_stores
from playwright.sync_api import Page, expect

__all__ = ["compare_store", "pages_stores"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]
BOTH = f"/compare?a={RUN}&b={OTHER}"


@pytest.fixture(scope="module")
def server(compare_store: CompareStore) -> Iterator[str]:
    with (
        chromium_browser(),
        streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(compare_store.home)}) as url,
    ):
        yield url


def open_at(page: Page, url: str) -> None:
    page.goto(url)
    idle(page)


def parameters(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def listed_stay(page: Page, row: int) -> str:
    """The stay in a row of the list; the grid is a canvas, and this is its accessible twin."""
    table = page.get_by_test_id("stDataFrame").first
    table.locator("[role=gridcell]").first.wait_for(state="attached")
    titles = table.locator("[role=columnheader]").all_text_contents()
    cell = table.get_by_test_id(f"glide-cell-{titles.index('Stay') + 1}-{row}").text_content() or ""
    return parse_qs(urlsplit(cell).query)["stay"][0]


def pick_row(page: Page, row: int) -> None:
    """Tick the box at the head of a row; header and rows are 35 px tall."""
    table = page.get_by_test_id("stDataFrame").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 35 * (row + 1) + 18)


def test_a_ticked_row_shows_that_stay_under_both_runs_and_the_link_keeps_it(server: str, page: Page) -> None:
    open_at(page, server + BOTH)
    assert identities(page) == set()
    for row, move in ((3, None), (1, "Verdict differs"), (1, "B alone is right")):
        if move:
            page.get_by_role("radio", name=move).or_(page.get_by_role("button", name=move)).first.click()
            idle(page)
        stay = listed_stay(page, row)
        pick_row(page, row)
        expect(page.get_by_label("Stay", exact=True)).to_have_value(stay)
        expect(page.locator(f'[data-panel="compared"][data-stay="{stay}"]')).to_be_visible()
        idle(page)
        assert identities(page) == {(stay, RUN), (stay, OTHER)}
        assert parameters(page)["case"] == stay
    link = page.url
    with chromium_page() as fresh:
        open_at(fresh, link)
        expect(fresh.locator(f'[data-panel="risk-b"][data-stay="{stay}"][data-run="{OTHER}"]')).to_be_visible()
        assert identities(fresh) == {(stay, RUN), (stay, OTHER)}
        assert {side: parameters(fresh)[side] for side in "ab"} == {"a": RUN, "b": OTHER}


def test_swapping_exchanges_the_versions_in_the_address_and_back_undoes_it(server: str, page: Page) -> None:
    open_at(page, server + BOTH)
    first = page.get_by_test_id("compare-metrics").locator("tr", has_text="Brier score").locator("td").first
    before = first.inner_text().split(" ")[0]
    assert before.startswith("+")
    page.get_by_role("button", name="Swap A and B").click()
    expect(first).to_have_text(re.compile("^" + re.escape(before.replace("+", "−"))))
    assert {side: parameters(page)[side] for side in "ab"} == {"a": OTHER, "b": RUN}
    page.go_back()
    expect(first).to_have_text(re.compile("^" + re.escape(before)))
    idle(page)
    assert {side: parameters(page)[side] for side in "ab"} == {"a": RUN, "b": OTHER}


def test_a_page_without_versions_in_its_address_gets_them(server: str, page: Page) -> None:
    open_at(page, f"{server}/compare?run={RUN}")
    expect(page.get_by_test_id("compare-metrics")).to_be_visible()
    assert {side: parameters(page)[side] for side in "ab"} == {"a": RUN, "b": OTHER}


def test_the_links_of_a_stay_lead_to_its_case_under_the_run_they_name(server: str, page: Page) -> None:
    open_at(page, server + BOTH)
    stay = listed_stay(page, 0)
    open_at(page, f"{server}{BOTH}&case={stay}")
    page.get_by_role("link", name="Open the case under run B").click()
    page.wait_for_url("**/case?**")
    idle(page)
    assert {"stay": stay, "run": OTHER}.items() <= parameters(page).items()
    assert identities(page) == {(stay, OTHER)}


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light")])
def test_nothing_is_wider_than_the_page_and_axe_finds_nothing_serious(
    width: int, scheme: Literal["light", "dark"], server: str, compare_store: CompareStore
) -> None:
    stay = int(compare_store.both()["stay_id"].iloc[0])
    with chromium_page(width, 844, scheme) as page:
        open_at(page, f"{server}{BOTH}&case={stay}")
        expect(page.get_by_test_id("p-b")).to_be_visible()
        page.wait_for_timeout(800)  # charts are drawn after the page is at rest
        if width > 640:  # on a phone Streamlit's own menu is a list that axe refuses, on every page
            assert violations(page, {}) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.lemof_failures == []  # type: ignore[attr-defined]
