"""Facets and saved cohorts in a real browser: what is brushed is counted, what is saved opens elsewhere as it was."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_support import CUT_TEXTS, chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from pages_support import PagesStores, pages_stores
from playwright.sync_api import Page, expect

from cohort_db import saved_cohorts
from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from cohort_db.store import Store, open_store

__all__ = ["pages_stores"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def home(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of its own, because these tests write."""
    return Path(shutil.copytree(pages_stores.home["full"], tmp_path_factory.mktemp("saving") / "home"))


@pytest.fixture(scope="module")
def store(home: Path) -> Store:
    return open_store(f"sqlite:///{home}/cohort.db")


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    with chromium_browser(), streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(home)}) as url:
        yield url


def open_at(page: Page, url: str) -> None:
    page.goto(url)
    idle(page)


def count(page: Page) -> int:
    return int(page.get_by_test_id("cohort-count").locator("b").inner_text().replace(",", ""))


def asked(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def brush(page: Page, key: str, start: float, end: float) -> None:
    """Drag over the histogram of a facet, from one share of its width to another."""
    bars = page.locator(f".st-key-brush-{key} svg")
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + end * box["width"], y, steps=5)
    page.mouse.up()
    idle(page)


def test_a_brush_is_the_range_that_it_covers_and_counts_what_sql_counts(server: str, page: Page, home: Path) -> None:
    open_at(page, f"{server}/cohort")
    brush(page, "p", 0.25, 0.5)
    low, high = (float(end) for end in asked(page)["p"])
    assert (low, high) == (pytest.approx(0.25, abs=0.02), pytest.approx(0.5, abs=0.02))
    wanted = sqlite3.connect(home / "cohort.db").execute(
        "SELECT count(*) FROM prediction WHERE p BETWEEN ? AND ?", (low, high)
    )
    assert count(page) == wanted.fetchone()[0] > 0
    with chromium_page() as other:
        open_at(other, page.url)
        assert count(other) == count(page)
    page.locator(".st-key-brush-p svg").dblclick()
    idle(page)
    assert "p" not in asked(page)


@pytest.mark.parametrize(
    ("key", "bars"), [("age", (0.02, 0.3, 0.62, 0.99)), ("p", (0.42, 0.52, 0.63)), ("error", (0.47,))]
)
def test_a_click_on_a_bar_gives_what_the_bar_says(server: str, page: Page, key: str, bars: tuple[float, ...]) -> None:
    for share in bars:
        open_at(page, f"{server}/cohort")
        drawn = page.locator(f".st-key-brush-{key} svg")
        drawn.scroll_into_view_if_needed()
        box = drawn.bounding_box()
        assert box is not None
        at = (box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        page.mouse.move(*at)
        said = page.locator(f".st-key-brush-{key} output").inner_text()
        page.mouse.click(*at)
        page.wait_for_url(f"**{key}=**")
        idle(page)
        span, n = said.split(": ")
        ends = span.split("–")
        assert [float(end) for end in asked(page)[key]] == [float(ends[0]), float(ends[-1])]
        assert count(page) == int(n.replace(",", ""))


def test_the_counts_beside_a_facet_are_those_of_the_other_filters(server: str, page: Page, home: Path) -> None:
    open_at(page, f"{server}/cohort?sex=Women")
    side = page.get_by_test_id("stSidebar")
    database = sqlite3.connect(home / "cohort.db")
    for sex, words in (("F", "Women"), ("M", "Men")):
        query = "SELECT count(*) FROM sample JOIN subject USING (subject_id) WHERE sex = ?"
        n = database.execute(query, (sex,)).fetchone()[0]
        expect(side.get_by_text(f"{words} · {n}", exact=True)).to_be_attached()
    units = (
        "SELECT count(*) FROM sample JOIN stay USING (stay_id) JOIN subject ON subject.subject_id = stay.subject_id "
    )
    n = database.execute(units + "WHERE sex = 'F' AND first_careunit LIKE 'Coronary%'").fetchone()[0]
    expect(side.get_by_text(f"CCU · {n}", exact=True)).to_be_attached()


def test_a_saved_cohort_opens_in_another_browser_with_the_same_stays(server: str, page: Page, store: Store) -> None:
    open_at(page, f"{server}/cohort?sex=Men")
    n = count(page)
    page.get_by_role("button", name="Save as a cohort").click()
    page.get_by_label("Name").fill("Men of the cohort")
    page.get_by_label("Saved by").fill("R. Searcher")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.", exact=True).wait_for()
    saved = saved_cohorts.listed(store).iloc[0]
    assert saved["n"] == n and saved["author"] == "R. Searcher"
    page.get_by_role("button", name="Open “Men of the cohort” →").click()
    page.wait_for_url(f"**cohort={saved['cohort_id']}**")
    idle(page)
    assert asked(page) == {"cohort": [saved["cohort_id"]], "where": ["In the cohort", "Left out"]}, "no free text"
    assert count(page) == n
    page.get_by_test_id("stSidebar").get_by_text("Women", exact=True).click()
    page.wait_for_url("**sex=Women**")
    idle(page)
    assert count(page) == 0, "filtered within the cohort"
    page.get_by_role("button", name="Women ×").click()
    page.wait_for_url(lambda address: "sex=" not in address)
    idle(page)
    assert count(page) == n
    with chromium_page() as other:
        open_at(other, page.url)
        assert count(other) == n
        expect(other.get_by_text("the definition gives the same today")).to_be_visible()
        cells = other.get_by_test_id("stDataFrame").first.locator("[role=gridcell]")
        first = cells.filter(has_text="case?stay=").first.text_content() or ""
        # The list that is leafed through from here is the cohort's.
        assert parse_qs(parse_qs(urlsplit(first).query)["list"][0])["cohort"] == [saved["cohort_id"]]
    members = saved_cohorts.members(store, saved["cohort_id"])
    assert members.tolist() == sorted(Browser(store, None).stay_ids(Filters(where=("in",), sex=("M",))).tolist())


def test_all_stays_in_the_cohort_or_not_are_a_link_too(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort?sex=Men")
    n = count(page)
    page.get_by_role("button", name="In the cohort ×").click()
    page.wait_for_url("**where=In+the+cohort&where=Left+out**")
    idle(page)
    assert count(page) > n
    with chromium_page() as other:
        open_at(other, page.url)
        assert count(other) == count(page)
        other.get_by_test_id("stSidebar").get_by_text("Left out", exact=True).click()
        other.wait_for_url(lambda address: "where=" not in address)
        idle(other)
        assert count(other) == n
    open_at(page, f"{server}/cohort?sex=Men&where=")
    assert count(page) > n, "as links of before wrote it"


def test_when_the_data_changed_both_counts_are_shown(server: str, page: Page, store: Store, home: Path) -> None:
    cohort_id = saved_cohorts.save(store, "CCU", "a", saved_cohorts.of_filters(Filters(sex=("F",)), None))
    n = saved_cohorts.get(store, cohort_id).n
    with store.writing() as conn:
        gone = conn.exec_driver_sql("SELECT min(stay_id) FROM stay_facet WHERE sex = 0").scalar()
        conn.exec_driver_sql(f"UPDATE stay_facet SET sex = 1 WHERE stay_id = {gone}")
        conn.exec_driver_sql("UPDATE facet_state SET revision = 'another'")
    open_at(page, f"{server}/cohort?cohort={cohort_id}")
    told = page.get_by_text(f"{n} stays at saving; the definition gives {n - 1} today.")
    expect(told).to_be_visible()
    with store.writing() as conn:
        conn.exec_driver_sql(f"UPDATE stay_facet SET sex = 0 WHERE stay_id = {gone}")


def test_an_unknown_cohort_shows_nobody(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort?cohort=nosuchcohort")
    expect(page.get_by_text("The link names a cohort that is not here")).to_be_visible()
    assert page.get_by_test_id("stDataFrame").count() == 0


def test_two_cohorts_are_compared_and_combined(server: str, page: Page, store: Store) -> None:
    ids = {
        name: saved_cohorts.save(store, name, "a", saved_cohorts.of_filters(filters, None))
        for name, filters in (
            ("Old", Filters(where=("in",), age=(60, 99))),
            ("Women", Filters(where=("in",), sex=("F",))),
        )
    }
    old, women = (set(saved_cohorts.members(store, one).tolist()) for one in ids.values())
    open_at(page, f"{server}/cohorts?a={ids['Old']}&b={ids['Women']}")
    told = f"Old: n = {len(old)}. Women: n = {len(women)}. In both: {len(old & women)}."
    expect(page.get_by_text(told)).to_be_visible()
    page.locator(".st-key-chart-love .js-plotly-plot").wait_for()
    for label, name in (("First", "Old"), ("Second", "Women")):
        choice = page.get_by_label(label, exact=True)
        choice.scroll_into_view_if_needed()
        idle(page)  # a list that opens while the page still scrolls closes again
        choice.click()
        page.get_by_role("option", name=name, exact=True).click()
        idle(page)
    expect(page.get_by_text(f"{len(old & women)} stays are in both")).to_be_visible()
    page.get_by_role("button", name="Save as a cohort").click()
    page.get_by_label("Name").fill("Old women")
    page.get_by_label("Saved by").fill("R. Searcher")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved.", exact=True).wait_for()
    newest = saved_cohorts.listed(store).iloc[0]
    assert set(saved_cohorts.members(store, newest["cohort_id"]).tolist()) == old & women
    assert newest["definition"]["of"] == [ids["Old"], ids["Women"]]


def test_a_name_is_no_markdown_and_an_archived_cohort_is_compared_as_linked(
    server: str, page: Page, store: Store
) -> None:
    name = "![p](http://example.invalid/p.png) **bold** " + 60 * "x"
    strange = saved_cohorts.save(store, name, name, saved_cohorts.of_filters(Filters(sex=("F",)), None), note=name)
    other = saved_cohorts.save(store, "Other", "a", saved_cohorts.of_filters(Filters(sex=("M",)), None))
    saved_cohorts.archive(store, strange)
    open_at(page, f"{server}/performance?among={strange}")
    expect(page.get_by_label("Among")).to_have_value(name)
    for path in (f"/cohort?cohort={strange}&where=", f"/cohorts?a={strange}&b={other}"):
        open_at(page, f"{server}{path}")
        expect(page.get_by_text("**bold**").first).to_be_visible()
        assert page.get_by_test_id("stAlertContentError").count() == 0, path
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1440
    n = [saved_cohorts.get(store, one).n for one in (strange, other)]
    expect(page.get_by_text(f": n = {n[0]}. Other: n = {n[1]}. In both: 0.")).to_be_visible()
    with chromium_page(390, 844) as phone:
        open_at(phone, f"{server}/cohorts?a={strange}&b={other}&archived=true")
        expect(phone.get_by_text("**bold**").first).to_be_visible()
        assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        phone.locator(".st-key-chart-love .js-plotly-plot").wait_for()
        assert phone.evaluate(CUT_TEXTS) == []
    open_at(page, f"{server}/cohorts?a=nosuch&b={other}")
    expect(page.get_by_text("The link names a cohort nosuch that is not here")).to_be_visible()
    assert page.locator(".js-plotly-plot").count() == 0


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("unit=CCUX&sex=Women", "Care unit CCUX"),
        ("disease=Sepsis&sex=Women", "Disease group (retrospective) Sepsis"),
        ("p=2&p=3&sex=Women", "Probability 2 to 3"),
    ],
)
def test_a_link_that_asks_for_what_is_not_here_says_so(server: str, page: Page, query: str, told: str) -> None:
    open_at(page, f"{server}/cohort?{query}")
    expect(page.get_by_text(f"is left out: {told}.")).to_be_visible()
    for name, path in (("Overview", "/"), ("Cohort", "/cohort")):
        page.get_by_role("link", name=name, exact=True).first.click()
        page.wait_for_url(lambda address, path=path: urlsplit(address).path == path)
        idle(page)
        expect(page.get_by_text("is left out:")).to_have_count(0)
    open_at(page, f"{server}/cohort?{query}")
    page.get_by_role("button", name="Women ×").click()
    page.wait_for_url(lambda address: "sex=" not in address)
    idle(page)
    expect(page.get_by_text("is left out:")).to_have_count(0)


def test_the_ends_of_an_age_may_be_linked_the_other_way_round(server: str, page: Page) -> None:
    open_at(page, f"{server}/cohort?age=60&age=40")
    n = count(page)
    open_at(page, f"{server}/cohort?age=40&age=60")
    assert count(page) == n > 0


@pytest.mark.parametrize("path", ["/cohorts", "/cohort"])
def test_pages_fit_a_phone_in_the_dark(server: str, path: str) -> None:
    with chromium_page(390, 844, "dark") as page:
        open_at(page, f"{server}{path}")
        page.get_by_test_id("provenance").wait_for()
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        assert page.get_by_test_id("stException").count() == 0
