"""The case page's panels in a real browser in; what they show held to the store, the paper and each other."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import chromium_page, find_chromium, identities, idle
from case_browser_support import asked, opened, url
from case_support import EDGES_S, RUN, VARIABLES, CaseStore
from playwright.sync_api import Page, expect

from cohort_db import read, read_results
from cohort_db.store import open_store
from dashboard.charts.theme import ACCENT, CONTEXT

__all__ = ["url"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]


def test_what_the_model_did_not_see_is_grey_in_the_browser(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN)
    traces = page.locator(".st-key-case-trends .js-plotly-plot").evaluate(
        """(plot) => plot.data.filter((trace) => trace.type === "scatter" && trace.mode.startsWith("lines"))
            .map((trace) => ({ x: [...trace.x], line: trace.line.color, name: trace.name }))"""
    )
    seen = [trace for trace in traces if trace["line"].lower() == ACCENT.lower()]
    unseen = [trace for trace in traces if trace["line"].lower() == CONTEXT.lower()]
    assert seen and unseen and len(seen) + len(unseen) == len(traces)
    assert all(0 <= x <= 24 for trace in seen for x in trace["x"])
    assert any(x is not None and x > 24 for trace in unseen for x in trace["x"])
    assert all("not seen by the model" in trace["name"] for trace in unseen)
    expect(page.get_by_text("prediction at 24 h")).to_be_visible()
    expect(page.get_by_text("Grey, not seen by the model")).to_be_visible()


@pytest.mark.parametrize(
    ("steps_of", "scale", "n_steps"),
    [("inputs", "log-odds", 3), ("levels", "log-odds", 7), ("levels", "probability", 7)],
)
def test_the_waterfall_in_the_browser_ends_at_the_stored_prediction(
    page: Page, url: str, case_store: CaseStore, steps_of: str, scale: str, n_steps: int
) -> None:
    stored = read_results.prediction(open_store(case_store.url), RUN, f"los-{case_store.test_stay}")
    assert stored is not None
    opened(page, url, stay=case_store.test_stay, run=RUN, steps=steps_of, scale=scale)
    chart = page.locator(".st-key-case-waterfall .js-plotly-plot")
    base, steps = chart.evaluate("(plot) => [plot.data[0].base[0], [...plot.data[0].x]]")
    assert len(steps) == n_steps
    assert base + sum(steps) == pytest.approx(stored["p" if scale == "probability" else "logit"], abs=0.001)
    expect(page.locator(".case-p")).to_have_text(f"{stored['p']:.2f}")


def test_an_unknown_stay_has_a_message_and_a_way_to_the_cohort(page: Page, url: str) -> None:
    opened(page, url, stay=12, run=RUN)
    expect(page.get_by_text("The store holds no ICU stay 12")).to_be_visible()
    assert identities(page) == set()
    page.get_by_role("link", name="Choose from the cohort").click()
    page.wait_for_url(re.compile("/cohort"))
    idle(page)


def test_a_stay_outside_the_cohort_is_shown_without_a_prediction(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.left_out, run=RUN)
    expect(page.get_by_text("left out of the cohort by the rule")).to_be_visible()
    expect(page.locator(".case-p")).to_have_count(0)
    expect(page.locator(".st-key-case-trends .js-plotly-plot")).to_be_visible()
    assert identities(page) == {(str(case_store.left_out), RUN)}


def test_a_stay_without_an_ecg_has_an_empty_state_and_no_paper(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.no_ecg, run=RUN)
    expect(page.get_by_text("No ECG in the window")).to_be_visible()
    expect(page.get_by_test_id("ecg-grid")).to_have_count(0)
    expect(page.get_by_text("No ECG was used")).to_be_visible()
    risk, branches = (page.locator(f'[data-panel="{name}"]').bounding_box() for name in ("risk", "branches"))
    assert risk and branches and branches["x"] < risk["x"]  # in the place of the paper
    assert identities(page) == {(str(case_store.no_ecg), RUN)}
    expect(page.locator(".st-key-qtc")).to_be_hidden()  # nothing to correct; another patient's choice stays in the link


def test_a_chosen_token_marks_its_window_on_the_paper_and_in_words(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN, depth="Attention", token="Lactate")
    told = page.get_by_test_id("attention-choice").inner_text()
    low, high = (float(number) for number in re.findall(r"(\d+\.\d+)-(\d+\.\d+) s", told)[0])
    assert low in EDGES_S and high == pytest.approx(low + 0.5)
    grid, mark = page.get_by_test_id("ecg-grid").bounding_box(), page.locator("svg .highlight").first.bounding_box()
    assert grid and mark
    mm = grid["height"] / round(grid["height"] / 2.9)
    assert (mark["x"] - grid["x"]) / mm == pytest.approx(10 + 25 * low, abs=1)
    assert mark["width"] / mm == pytest.approx(12.5, abs=1)
    page.locator('.st-key-token [aria-label*="lear"], .st-key-token [data-testid*="lear"]').first.click()
    idle(page)
    expect(page.locator("svg .highlight")).to_have_count(0)


def test_a_clicked_cell_marks_paper_and_flowsheet_and_escape_lets_both_go(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN, depth="Attention", trends="All")
    chart = page.locator("[class*=st-key-case-attention-chart] .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    names = chart.evaluate("plot => plot.layout.yaxis.ticktext")
    store = open_store(case_store.url)
    charted = read.measurements(store, [case_store.test_stay], before_s=86_400)["variable"]
    store.close()
    rows = [name for name in names if name in set(VARIABLES.loc[list(set(charted)), "label"])]
    row = names.index(rows[0])
    drawn = chart.locator(".nsewdrag").first.bounding_box()
    assert drawn
    n_windows, n_rows = len(EDGES_S) - 1, len(names)
    x = drawn["x"] + drawn["width"] * (3 + 0.5) / n_windows
    page.mouse.click(x, drawn["y"] + drawn["height"] * (row + 0.5) / n_rows)
    expect(page.get_by_test_id("attention-choice")).to_contain_text("1.50-2.00 s of the ECG looked most at")
    idle(page)
    expect(page.get_by_test_id("attention-choice")).to_contain_text(f"{rows[0]} looked most at")
    mark = page.get_by_test_id("ecg-highlight").first
    assert (mark.get_attribute("data-t0"), mark.get_attribute("data-t1")) == ("1.5", "2")
    shapes = page.locator(".st-key-case-trends .js-plotly-plot").evaluate(
        "plot => plot.layout.shapes.filter(shape => shape.name === 'linked').length"
    )
    assert shapes == 1
    page.get_by_test_id("ecg-paper").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("ecg-highlight")).to_have_count(0)
    expect(page.get_by_test_id("attention-choice")).to_have_count(0)


def test_what_was_chosen_of_one_patients_attention_is_not_chosen_of_the_next(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN, depth="Attention", token="Lactate", window="1.50-2.00 s")
    expect(page.get_by_test_id("attention-choice")).to_be_visible()
    page.keyboard.press("k")
    page.wait_for_function(
        "old => new URL(location.href).searchParams.get('stay') !== old", arg=str(case_store.test_stay)
    )
    idle(page)
    expect(page.get_by_test_id("attention-choice")).to_have_count(0)
    assert not {"token", "window"} & set(asked(page))


def test_the_first_screen_holds_risk_reasons_paper_and_the_top_of_the_trends_without_a_hole(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN)
    expect(page.locator(".risk-scale")).to_be_visible()
    expect(page.locator(".st-key-case-trends .js-plotly-plot")).to_be_visible()

    def ends(place: str) -> float:
        box = page.locator(place).last.bounding_box()
        assert box
        return box["y"] + box["height"]

    trends = page.locator(".st-key-case-trends .js-plotly-plot").bounding_box()
    assert trends and trends["y"] < 900 - 66  # the first row of the flowsheet is on the screen
    left, right = ends(".case-intervals"), ends(".st-key-case-right .case-footnote")
    assert abs(left - right) < 100 and max(left, right) < trends["y"]
    assert max(ends(".case-p"), ends(".case-reasons"), ends(".st-key-case-waterfall")) <= right


def test_on_a_phone_the_risk_stands_before_the_ecg_and_the_page_does_not_scroll_sideways(
    url: str, case_store: CaseStore
) -> None:
    with chromium_page(390, 844) as phone:
        opened(phone, url, stay=case_store.test_stay, run=RUN)
        risk, ecg = (phone.locator(f'[data-panel="{name}"]').bounding_box() for name in ("risk", "ecg"))
        assert risk and ecg and risk["y"] < ecg["y"]
        assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
