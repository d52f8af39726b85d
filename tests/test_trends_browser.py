"""The flowsheet in a real browser in; its flags, lanes, zoom and table held to what SQL finds in the store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import find_chromium, identities, idle
from case_browser_support import url
from case_support import RUN, CaseStore
from playwright.sync_api import Page, expect

__all__ = ["url"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
PLOT = ".st-key-case-trends .js-plotly-plot"
FLAG_OF_SYMBOL = {5: "H", 6: "L", 19: "HH", 20: "LL"}
# Written again without the code under test: women's own range where they have one, critical limits included.
FLAGGED = """
WITH judged AS (
  SELECT m.value, m.offset_s, v.panel, v.crit_low, v.crit_high,
         CASE WHEN s.sex = 'F' AND v.ref_low_f IS NOT NULL THEN v.ref_low_f ELSE v.ref_low END AS low,
         CASE WHEN s.sex = 'F' AND v.ref_high_f IS NOT NULL THEN v.ref_high_f ELSE v.ref_high END AS high
  FROM measurement m JOIN variable v USING (variable_id) JOIN stay USING (stay_id) JOIN subject s USING (subject_id)
  WHERE stay_id = :stay AND v.kind = 'series' AND m.offset_s >= :from_s AND m.offset_s <= :to_s)
SELECT CASE WHEN value <= crit_low THEN 'LL' WHEN value >= crit_high THEN 'HH' WHEN value < low THEN 'L'
            WHEN value > high THEN 'H' END AS flag, count(*) FROM judged WHERE flag IS NOT NULL GROUP BY 1
"""


def rows(case_store: CaseStore, query: str, **values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{case_store.home / 'cohort.db'}?mode=ro", uri=True)) as conn:
        return conn.execute(query, values).fetchall()


def opened(page: Page, url: str, stay_id: int, query: str = "") -> Page:
    page.goto(f"{url}/case?stay={stay_id}&run={RUN}{query}")
    idle(page)
    return page


def hours_shown(page: Page) -> tuple[float, float]:
    """The range of the time axis of a drawn chart."""
    page.locator(f"{PLOT} .nsewdrag").first.wait_for(state="attached")
    low, high = page.locator(PLOT).evaluate("(plot) => plot._fullLayout.xaxis.range.map(Number)")
    return low, high


def brush(page: Page, low_h: float, high_h: float) -> None:
    """The mouse is dragged over the first row of the chart from one hour to another."""
    first, last = hours_shown(page)
    page.locator(PLOT).evaluate(
        """(plot) => { const main = document.querySelector("[data-testid=stMain]");
            main.scrollTop += plot.getBoundingClientRect().top - 240; }"""
    )
    box = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
    assert box
    at = [box["x"] + box["width"] * (hour - first) / (last - first) for hour in (low_h, high_h)]
    middle = box["y"] + box["height"] / 2
    page.wait_for_timeout(300)  # the page follows the chart ten times a second
    page.mouse.move(at[0], middle)
    page.mouse.down()
    page.mouse.move(at[1], middle + 3, steps=6)
    page.mouse.up()


def zoomed(page: Page, low_h: float, high_h: float) -> None:
    """The page knows of the zoom, and the chart has it."""
    expect(page.locator(".st-key-case-trends-reset")).to_be_visible()
    idle(page)
    assert hours_shown(page) == pytest.approx((low_h, high_h), abs=0.3)


def test_the_flags_of_the_chart_are_those_that_sql_counts_and_the_words_say_so(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, case_store.test_stay, "&trends=All")
    first, last = hours_shown(page)
    stay = {"stay": case_store.test_stay, "from_s": first * 3600, "to_s": last * 3600}
    expected = dict(rows(case_store, FLAGGED, **stay))
    symbols = page.locator(PLOT).evaluate(
        "(plot) => plot.data.flatMap((trace) => trace.marker?.symbol?.forEach ? [...trace.marker.symbol] : [])"
    )
    found = Counter(FLAG_OF_SYMBOL[symbol] for symbol in symbols if symbol in FLAG_OF_SYMBOL)
    assert dict(found) == expected and {"H", "L"} <= set(found)
    told = page.get_by_test_id("trends-note").inner_text()
    assert f"{sum(found.values())} of " in told
    assert all(f"{count} {flag}" in told for flag, count in found.items())


def test_the_table_has_the_numbers_of_the_chart_and_the_flags_that_sql_counts(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, case_store.test_stay, "&trends=Electrolytes")
    hours_shown(page)
    drawn = page.locator(PLOT).evaluate(
        """(plot) => plot.data.filter((trace) => trace.type === "scatter" && trace.mode.startsWith("lines"))
            .flatMap((trace) => [...trace.x].map((x, n) => [trace.name.split(",")[0], x, trace.y[n]]))
            .filter(([name, x]) => x !== null && x >= 0 && x < 24)"""
    )
    page.get_by_role("radio", name="Table", exact=True).click(force=True)
    idle(page)
    table = page.locator('[data-panel="trends-table"] table')
    expect(table).to_be_visible()
    expect(table.locator("caption")).to_have_text("0 to 24 h from ICU admission")
    expect(page.locator(PLOT)).to_have_count(0)
    expect(page.get_by_role("region", name="Values by hour")).to_have_attribute("tabindex", "0")  # scrolls by keys too
    listed = table.evaluate(
        """(table) => [...table.tBodies[0].rows].flatMap((row) => [...row.cells].slice(2).flatMap((cell, hour) => {
            cell.querySelectorAll("summary, abbr").forEach((other) => other.remove());
            const name = row.cells[0].textContent.split(" ")[0].replace(",", "");
            return (cell.innerHTML.replace(/<[^>]*>/g, " ").match(/\\d+(\\.\\d+)?/g) ?? []).map(
                (value) => [name, hour, Number(value)]);
        }))"""
    )
    assert Counter((name.split(" ")[0], int(x), value) for name, x, value in drawn) == Counter(
        (name, hour, value) for name, hour, value in listed
    )
    opened(page, url, case_store.test_stay, "&trends=All&trends_as=Table")
    expected = dict(rows(case_store, FLAGGED, stay=case_store.test_stay, from_s=0, to_s=86_400))
    flags = page.locator('[data-panel="trends-table"] [data-flag]').evaluate_all(
        "(all) => all.map((b) => b.dataset.flag)"
    )
    assert dict(Counter(flags)) == expected
    assert page.locator('[data-panel="trends-table"] *').count() < 2500
    assert identities(page) == {(str(case_store.test_stay), RUN)}


def test_a_drug_that_began_before_the_zoom_and_ends_inside_it_is_still_there(
    page: Page, url: str, case_store: CaseStore
) -> None:
    running = """SELECT stay_id, event_interval.label, start_s / 3600.0, end_s / 3600.0 FROM event_interval
        JOIN sample USING (stay_id) WHERE kind = 'drug' AND start_s > 3600 AND end_s - start_s > 10800 AND end_s < 79200
        ORDER BY end_s - start_s DESC LIMIT 1"""
    ((stay_id, label, start_h, end_h),) = rows(case_store, running)
    assert isinstance(stay_id, int) and isinstance(start_h, float) and isinstance(end_h, float)
    opened(page, url, stay_id)
    middle = (start_h + end_h) / 2
    brush(page, middle, end_h + 2)
    zoomed(page, middle, end_h + 2)
    low, high = hours_shown(page)
    place, base, length = page.locator(PLOT).evaluate(
        """(plot, label) => {
            const bars = plot.data.filter((trace) => trace.type === "bar")[0];
            const n = [...bars.hovertext].findIndex((text) => text.startsWith(label));
            return [n, bars.base[n], bars.x[n]];
        }""",
        str(label),
    )
    assert place >= 0 and base == pytest.approx(low, abs=0.02) and base + length == pytest.approx(end_h, abs=0.05)
    bar = page.locator(f"{PLOT} .barlayer .point path").nth(place).bounding_box()
    plot = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
    assert bar and plot
    share = (end_h - low) / (high - low)
    assert bar["x"] == pytest.approx(plot["x"], abs=2) and bar["width"] == pytest.approx(share * plot["width"], abs=4)


def test_a_zoom_outlives_other_views_of_the_patient_and_ends_with_the_patient(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, case_store.cohort[3])
    full = hours_shown(page)
    brush(page, 6, 12)
    zoomed(page, 6, 12)
    for view in ("Vitals", "6x2", "Whole stay"):
        page.get_by_role("radio", name=view, exact=True).click(force=True)
        idle(page)
        zoomed(page, 6, 12)
    page.get_by_role("radio", name="Table", exact=True).click(force=True)
    idle(page)
    heads = page.locator('[data-panel="trends-table"] thead tr:nth-child(2) th').all_inner_texts()
    assert {int(head) for head in heads} <= set(range(5, 13))
    page.get_by_role("radio", name="Chart", exact=True).click(force=True)
    idle(page)
    zoomed(page, 6, 12)
    page.locator(".st-key-case-next button").click()
    expect(page.locator(f'[data-panel="trends"][data-stay="{case_store.cohort[4]}"]')).to_be_visible()
    idle(page)
    expect(page.locator(".st-key-case-trends-reset")).to_have_count(0)
    assert hours_shown(page)[0] <= 0 and hours_shown(page)[1] > 12
    assert full[1] > 12


def test_the_tables_day_is_one_that_the_next_patient_has(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, case_store.cohort[3], "&trends_as=Table")
    page.locator(".st-key-trend_hours").get_by_role("combobox").click()
    page.get_by_role("option").last.click()
    idle(page)
    table = page.locator('[data-panel="trends-table"]')
    heading = "after the prediction: not seen by the model"
    expect(table.locator("thead th[scope=colgroup]")).to_have_text([heading])
    for stay_id in case_store.cohort[4:7]:
        page.locator(".st-key-case-next button").click()
        expect(page.locator(f'[data-panel="trends-table"][data-stay="{stay_id}"]')).to_be_visible()
        idle(page)
        chosen = page.locator(".st-key-trend_hours").get_by_role("combobox").get_attribute("value")
        expect(table.locator("caption")).to_have_text(f"{chosen} from ICU admission")
        assert identities(page) == {(str(stay_id), RUN)}


@pytest.mark.parametrize("way", ["button", "double click"])
def test_a_zoom_into_hours_without_a_value_can_be_left(page: Page, url: str, case_store: CaseStore, way: str) -> None:
    opened(page, url, case_store.test_stay, "&trends=Electrolytes")
    full = hours_shown(page)
    for width in (2, 0.6):  # narrower each time, down to where nothing was charted
        brush(page, 12, 12 + width)
        expect(page.locator(".st-key-case-trends-reset")).to_be_visible()
        idle(page)
        page.wait_for_timeout(500)
    low, high = hours_shown(page)
    assert 0.49 <= high - low < 1.5
    if way == "button":
        page.locator(".st-key-case-trends-reset button").click()
    else:
        box = page.locator(f"{PLOT} .nsewdrag").first.bounding_box()
        assert box
        page.mouse.dblclick(box["x"] + 60, box["y"] + 12)
    expect(page.locator(".st-key-case-trends-reset")).to_have_count(0)
    idle(page)
    assert hours_shown(page) == pytest.approx(full)
