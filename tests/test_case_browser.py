"""The case page in a real browser in; whose data stands on it at any moment, links, history, bytes and widths held."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import (
    IDENTITIES,
    ROOT,
    chromium_browser,
    chromium_page,
    find_chromium,
    identities,
    idle,
    streamlit_server,
)
from case_support import EDGES_S, RUN, CaseStore, shared_case_store
from playwright.sync_api import Locator, Page, expect

from cohort_db import read_results
from cohort_db.store import open_store
from dashboard.charts.theme import ACCENT, CONTEXT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
BYTES_PER_PATIENT = 300_000


@pytest.fixture(scope="module")
def case_store(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    return shared_case_store(tmp_path_factory)


@pytest.fixture(scope="module")
def url(case_store: CaseStore) -> Iterator[str]:
    app, env = ROOT / "streamlit_app.py", {"LEMOF_HOME": str(case_store.home)}
    with streamlit_server(app, env=env) as served, chromium_browser():
        yield served


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    with chromium_page() as page:
        yield page
        assert page.lemof_failures == []
        assert page.lemof_outside_requests == []


def opened(page: Page, url: str, **query: object) -> Page:
    """The page is at rest on the case that the query names."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{url}/case?{asked}")
    idle(page)
    return page


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def next_button(page: Page) -> Locator:
    return page.locator(".st-key-case-next button")


def arrived(page: Page, stay_id: int) -> None:
    """The last panel of that patient is there, and the page is at rest."""
    expect(page.locator(f'[data-panel="trends"][data-stay="{stay_id}"]')).to_be_visible()
    idle(page)


def test_twenty_hasty_clicks_never_leave_another_patient_on_the_page(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[0], run=RUN)
    others = ["6x2", "Vitals", "levels", "saliency", "Whole stay", "3x4+II", "Top 12"]
    for number in range(20):
        next_button(page).evaluate("(button) => button.click()")
        if number % 3 == 2:
            option = page.get_by_role("radio", name=others[number // 3], exact=True, include_hidden=True)
            option.evaluate_all("(found) => found[0]?.click()")  # hidden while the patient changes
        page.wait_for_timeout(40)
    idle(page)
    arrived(page, int(asked(page)["stay"]))
    assert asked(page)["stay"] != str(case_store.cohort[0])
    assert identities(page) == {(asked(page)["stay"], RUN)}


def test_no_two_patients_are_visible_together_while_the_page_changes(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[0], run=RUN)
    page.evaluate(f"""() => {{
        const stamps = {IDENTITIES};
        window.seenTogether = [];
        window.watching = setInterval(() => {{
            const stays = [...new Set(stamps().map(([stay]) => stay))];
            if (stays.length > 1) window.seenTogether.push(stays.join(" "));
        }}, 5);
    }}""")
    for stay_id in case_store.cohort[1:5]:
        next_button(page).click()
        arrived(page, stay_id)
    assert page.evaluate("window.seenTogether") == []
    assert asked(page)["stay"] == str(case_store.cohort[4])


def test_back_returns_to_the_patient_before_and_forward_to_the_next(
    page: Page, url: str, case_store: CaseStore
) -> None:
    opened(page, url, stay=case_store.cohort[3], run=RUN)
    for stay_id in case_store.cohort[4:6]:
        next_button(page).click()
        arrived(page, stay_id)
    for move, place in ((page.go_back, 4), (page.go_back, 3), (page.go_forward, 4)):
        move()
        arrived(page, case_store.cohort[place])
        assert identities(page) == {(str(case_store.cohort[place]), RUN)}


def test_j_and_k_leaf_through_the_patients(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.cohort[3], run=RUN)
    arrived(page, case_store.cohort[3])
    page.keyboard.press("k")
    arrived(page, case_store.cohort[4])
    expect(page.get_by_test_id("case-position")).to_have_text(f"5 of {len(case_store.cohort)}")
    page.keyboard.press("j")
    arrived(page, case_store.cohort[3])
    assert identities(page) == {(str(case_store.cohort[3]), RUN)}


def test_the_copied_link_opens_the_same_view(page: Page, url: str, case_store: CaseStore) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened(page, url, stay=case_store.test_stay, run=RUN)
    for view in ("6x2", "levels", "probability", "Levels"):
        page.get_by_role("radio", name=view, exact=True).click(force=True)
        idle(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("button", name="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    with chromium_page() as fresh:
        fresh.goto(link)
        idle(fresh)
        assert asked(fresh) == asked(page)
        chosen = {"layout": "6x2", "steps": "levels", "scale": "probability", "depth": "Levels"}
        assert asked(fresh) | chosen == asked(fresh)
        expect(fresh.locator('[data-panel="levels"]')).to_be_visible()
        assert identities(fresh) == {(str(case_store.test_stay), RUN)}


def test_a_patient_costs_less_than_300_kb_and_hidden_depth_nothing(url: str, case_store: CaseStore) -> None:
    with chromium_page() as page:
        received: list[int] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
        opened(page, url, stay=case_store.cohort[0], run=RUN)
        costs = []
        for stay_id in case_store.cohort[1:7]:
            received.clear()
            next_button(page).click()
            arrived(page, stay_id)
            costs.append(sum(received))
        print("bytes per patient:", costs)
        assert max(costs) < BYTES_PER_PATIENT


def test_what_the_model_did_not_see_is_grey_in_the_browser(page: Page, url: str, case_store: CaseStore) -> None:
    opened(page, url, stay=case_store.test_stay, run=RUN)
    traces = page.locator(".st-key-case-trends .js-plotly-plot").evaluate(
        """(plot) => plot.data.filter((trace) => trace.type === "scatter")
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
