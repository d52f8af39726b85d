"""The cohort and the pages of results in a real browser: the right patient, links that keep their meaning."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_support import chromium_browser, chromium_page, find_chromium, identities, idle, streamlit_server
from case_browser_support import arrived
from pages_support import RUN, THRESHOLD, PagesStores, pages_stores
from playwright.sync_api import Page, expect

from cohort_db import read_results
from cohort_db.stay_filters import Filters
from dashboard.cohort_filters import SEXES, SORTS
from dashboard.stay_list import StayList
from lemof_core.evaluation.confusion import confusion

__all__ = ["pages_stores"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]
PATHS = ("/", "/cohort", "/levels", "/performance", "/model-card")


@pytest.fixture(scope="module")
def server(pages_stores: PagesStores) -> Iterator[str]:
    with (
        chromium_browser(),
        streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(pages_stores.home["full"])}) as url,
    ):
        yield url


@pytest.fixture(scope="module")
def database(pages_stores: PagesStores) -> sqlite3.Connection:
    return sqlite3.connect(pages_stores.home["full"] / "cohort.db")


def open_at(page: Page, url: str) -> None:
    page.goto(url)
    idle(page)


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def count(page: Page) -> int:
    """How many stays the cohort page says are left."""
    return int(page.get_by_test_id("cohort-count").locator("b").inner_text().replace(",", ""))


def cell(page: Page, row: int, column: str) -> str:
    """The text of a table cell; the grid is a canvas, and this is its accessible twin."""
    table = page.get_by_test_id("stDataFrame").first
    table.locator("[role=gridcell]").first.wait_for(state="attached")
    titles = table.locator("[role=columnheader]").all_text_contents()
    # Column 0 holds the boxes to tick and has no title.
    return table.get_by_test_id(f"glide-cell-{titles.index(column) + 1}-{row}").text_content() or ""


def shown_link(page: Page, row: int) -> dict[str, list[str]]:
    """The parameters of the case that the link in a row leads to: stay, run, and the list where it is filtered."""
    return parse_qs(urlsplit(cell(page, row, "Stay")).query)


def shown_stay(page: Page, row: int) -> str:
    """The stay in a row as the table shows it."""
    return shown_link(page, row)["stay"][0]


def pick_row(page: Page, row: int) -> None:
    """Tick the box at the head of a row; header and rows are 35 px tall."""
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 15, box["y"] + 35 * (row + 1) + 18)


def listed(page: Page, wanted: StayList) -> None:
    """The table shows that list, by its links, and the page is at rest: on a busy machine it may be at rest before the
    run of a click has begun, and with the table of before."""
    page.wait_for_function(
        """(wanted) => {
            const link = document.querySelector('[data-testid="stDataFrame"] [data-testid="glide-cell-1-0"]');
            const written = new URLSearchParams(link?.textContent.split("?")[1]).get("list") ?? "";
            const parts = (text) => [...new URLSearchParams(text)].map(String).sort().join();
            return link && parts(written) === parts(wanted);
        }""",
        arg=wanted.written(),
    )
    idle(page)


@pytest.mark.parametrize(
    "query", ["", "?sex=Women&age=40&age=90", "?sort=Oldest+first", "?sex=Men&sort=Largest+error+first"]
)
def test_a_chosen_row_opens_the_stay_that_it_shows(server: str, page: Page, query: str) -> None:
    open_at(page, f"{server}/cohort{query}")
    wanted = shown_link(page, 3)
    assert wanted["run"] == [RUN] and ("list" in wanted) == bool(query)
    pick_row(page, 3)
    page.wait_for_url("**/case?**")
    idle(page)
    assert parameters(page) == wanted
    expect(page.get_by_test_id("case-position")).to_contain_text("4 of ")


def test_the_row_is_the_right_one_also_after_a_click_on_a_column_head(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort")
    box = page.get_by_test_id("stDataFrame").first.bounding_box()
    assert box is not None
    unsorted = [shown_stay(page, row) for row in range(6)]
    page.mouse.click(box["x"] + 125, box["y"] + 18)  # the word Age
    page.wait_for_function(
        """(before) => before.some((stay, row) =>
            !document.querySelector(`[data-testid="glide-cell-1-${row}"]`)?.textContent.includes(`stay=${stay}`))""",
        arg=unsorted,
    )
    wanted = shown_stay(page, 4)
    assert wanted != unsorted[4]
    pick_row(page, 4)
    page.wait_for_url("**/case?**")
    assert parameters(page)["stay"] == [wanted]


@pytest.mark.parametrize("rounds", [3, pytest.param(7, marks=pytest.mark.slow)])
def test_filter_order_and_next_never_show_another_patient(server: str, page: Page, rounds: int) -> None:
    orders = ("old", "young", "p_high", "error")
    open_at(page, f"{server}/cohort")
    checked = 0
    asked = StayList()
    for number in range(rounds):
        sex = ("F", "M")[number % 2]
        page.get_by_test_id("stSidebar").get_by_text(SEXES[sex], exact=True).click()
        sexes = tuple(sorted({sex} ^ set(asked.filters.sex)))  # a second click takes the filter away
        asked = replace(asked, filters=replace(asked.filters, sex=sexes))
        listed(page, asked)
        asked = replace(asked, order=orders[number % len(orders)])
        page.get_by_label("Order").click()
        page.get_by_role("option", name=SORTS[asked.order], exact=True).click()
        listed(page, asked)
        wanted = [shown_link(page, number + further) for further in range(3)]
        pick_row(page, number)
        page.wait_for_url("**/case?**")
        for place, link in enumerate(wanted):
            stay = link["stay"][0]
            if place:
                page.locator(".st-key-case-next button").click()
            arrived(page, int(stay))
            assert parameters(page) == link
            assert identities(page) == {(stay, RUN)}
            checked += 1
        page.get_by_role("link", name="Cohort", exact=True).first.click()
        page.wait_for_url("**/cohort**")
        listed(page, asked)
    assert checked == 3 * rounds


def test_back_brings_the_filters_also_after_the_list_was_opened_from_the_case(server: str, page: Page) -> None:
    asked = StayList(Filters(where=("in",), sex=("F",)), "old")
    open_at(page, f"{server}/cohort?sex=Women&sort=Oldest+first")
    n, stay = count(page), shown_stay(page, 2)
    pick_row(page, 2)
    page.wait_for_url("**/case?**")
    arrived(page, int(stay))
    page.get_by_role("link", name="List", exact=True).click()
    page.wait_for_url("**/cohort?**")
    listed(page, asked)
    while f"/case?stay={stay}" not in page.url:
        page.go_back()
        page.wait_for_timeout(300)
    arrived(page, int(stay))
    page.go_back()
    page.wait_for_url("**/cohort**")
    listed(page, asked)
    assert count(page) == n < 200
    page.get_by_role("button", name="Remove all").click()
    listed(page, StayList(Filters(), "old"))
    assert count(page) > n, "what was taken away stays away"


def test_a_missing_file_is_a_failure_and_a_probe_is_none(server: str) -> None:
    with chromium_page() as page:
        open_at(page, f"{server}/levels")
        assert page.lemof_console_errors and page.lemof_failures == []  # type: ignore[attr-defined]
        missing = ("/missing.js", "/levels/_stcore/other", "/levels/_stcore/health/more")
        for path in missing:
            page.route(f"{server}{path}", lambda route: route.fulfill(status=404))
            page.evaluate("(url) => fetch(url)", f"{server}{path}")
        page.wait_for_timeout(300)
        found = page.lemof_failures  # type: ignore[attr-defined]
        assert [text.split()[-1] for text in found] == [f"{server}{path}" for path in missing]


def test_back_leads_to_the_filters_that_were_left(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort?sex=Women&q=30")
    before = count(page)
    pick_row(page, 1)
    page.wait_for_url("**/case?**")
    idle(page)
    page.go_back()
    idle(page)
    assert urlsplit(page.url).path == "/cohort"
    assert count(page) == before
    assert parameters(page)["sex"] == ["Women"]
    assert page.get_by_role("button", name="Women ×").is_visible()


def test_a_filter_that_changes_after_a_choice_opens_nobody(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort")
    page.get_by_test_id("stSidebar").get_by_text("Women", exact=True).click()
    idle(page)
    page.get_by_role("button", name="Women ×").click()
    idle(page)
    assert urlsplit(page.url).path == "/cohort"
    assert "sex" not in parameters(page)


def test_facets_stand_in_the_url_and_a_copied_link_counts_the_same(
    server: str, page: Page, database: sqlite3.Connection
) -> None:
    open_at(page, f"{server}/cohort")
    side = page.get_by_test_id("stSidebar")
    side.get_by_text("Men", exact=True).click()
    idle(page)
    side.get_by_text("Died in ICU before 72 h", exact=True).click()
    idle(page)
    wanted = database.execute(
        "SELECT count(*) FROM sample JOIN subject USING (subject_id) WHERE sex = 'M' AND died_before_cut"
    ).fetchone()[0]
    assert count(page) == wanted > 0
    with chromium_page() as other:
        open_at(other, page.url)
        assert count(other) == wanted


def test_an_id_leads_to_its_case_also_from_outside_the_cohort(
    server: str, page: Page, database: sqlite3.Connection
) -> None:
    stay = str(database.execute("SELECT min(stay_id) FROM exclusion").fetchone()[0])
    open_at(page, f"{server}/cohort")
    page.get_by_label("Stay or subject id").fill(stay)
    page.keyboard.press("Enter")
    idle(page)
    page.get_by_role("link", name=f"Open stay {stay} →").click()
    page.wait_for_url("**/case?**")
    assert parameters(page)["stay"] == [stay]


@pytest.mark.parametrize(
    "query", ["", pytest.param("?at=0.37&at_ehr=0.62&part=train&without_deaths=true", marks=pytest.mark.slow)]
)
def test_a_cell_of_the_confusion_matrix_leads_to_as_many_stays(
    server: str, page: Page, pages_stores: PagesStores, query: str
) -> None:
    asked = parse_qs(query.lstrip("?"))
    split = asked.get("part", ["test"])[0]
    known = read_results.predictions(pages_stores.store("full"), RUN, split)
    if "without_deaths" in asked:
        known = known[~known["died_before_cut"].astype(bool)]
    cuts = {"both": float(asked.get("at", [THRESHOLD])[0]), "ehr": float(asked.get("at_ehr", [0.5])[0])}
    at = confusion(known["label"].to_numpy(int), (known["p"] >= known["path"].map(cuts)).to_numpy())
    for name, wanted in (
        ("right alarm", at.hit),
        ("false alarm", at.false),
        ("missed", at.miss),
        ("rightly quiet", at.calm),
    ):
        open_at(page, f"{server}/performance{query}")
        page.locator(".st-key-confusion").get_by_role("link", name=f"{wanted} {name}").click()
        page.wait_for_url("**/cohort?**")
        idle(page)
        assert count(page) == wanted, name


def test_a_point_of_the_swarm_opens_its_stay(server: str, page: Page) -> None:
    open_at(page, f"{server}/levels")
    page.locator(".st-key-swarm-ehr .points path").first.wait_for()
    where = page.evaluate(
        """() => {
            const plot = document.querySelector('.st-key-swarm-ehr .js-plotly-plot');
            const {xaxis, yaxis} = plot._fullLayout, box = plot.getBoundingClientRect();
            const {x, y, customdata} = plot._fullData[0];
            // The point furthest to the right lies alone.
            const i = x.reduce((best, value, at) => value > x[best] ? at : best, 0);
            return {stay: customdata[i][0], x: box.x + xaxis._offset + xaxis.l2p(x[i]),
                    y: box.y + yaxis._offset + yaxis.l2p(y[i])};
        }"""
    )
    page.mouse.move(where["x"], where["y"])
    page.wait_for_timeout(300)
    page.mouse.click(where["x"], where["y"])
    page.wait_for_url("**/case?**")
    assert parameters(page)["stay"] == [str(where["stay"])]


@pytest.mark.parametrize("path", PATHS)
def test_pages_fit_a_phone_in_the_dark(server: str, path: str) -> None:
    with chromium_page(390, 844, "dark") as page:
        open_at(page, f"{server}{path}")
        page.get_by_test_id("provenance").wait_for()
        wide = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= 390
        assert page.get_by_test_id("stException").count() == 0
