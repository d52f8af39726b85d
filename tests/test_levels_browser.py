"""/levels in a real browser: the choice of groups is a link, charts hold the stored numbers, a run has its seeds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_support import chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from pages_support import RUN, PagesStores, add_pages_run, pages_stores
from playwright.sync_api import Page, expect

from cohort_db import read_analysis, read_levels, read_results
from cohort_db.store import open_store
from dashboard.level_groups import memberships
from dashboard.wording import Definition

__all__ = ["pages_stores"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).resolve().parents[1]
OTHER = "run-seed-1"


@pytest.fixture(scope="module")
def home(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The evaluated store with a second seed of its run."""
    home = tmp_path_factory.mktemp("levels") / "seeds"
    shutil.copytree(pages_stores.home["full"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    add_pages_run(store, OTHER, seed=1, config=dict(read_results.run(store, RUN)["config"]) | {"seed": 1})
    store.close()
    return home


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[str]:
    with (
        chromium_browser(),
        streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(home)}) as url,
    ):
        yield url


def drawn(page: Page, key: str) -> dict[str, float]:
    """The dots of a chart of groups: group and column -> mean."""
    page.locator(f".st-key-{key} .js-plotly-plot .xaxislayer-above").first.wait_for(state="attached")
    traces: list[Any] = page.evaluate(
        """(key) => document.querySelector(`.st-key-${key} .js-plotly-plot`)._fullData.map(
            (one) => [one.xaxis, Array.from(one.x), one.customdata.map((row) => row[0])])""",
        key,
    )
    return {f"{group} {axis}": x for axis, xs, groups in traces for x, group in zip(xs, groups, strict=True)}


def test_the_groups_are_in_the_link_and_the_charts_hold_the_stored_means(server: str, home: Path, page: Page) -> None:
    page.goto(f"{server}/levels?part=train&run={RUN}")
    idle(page)
    page.get_by_role("radio", name="Disease and outcome").click()
    page.get_by_role("radio", name="Direction: mean φ").click()
    idle(page)
    asked = parse_qs(urlsplit(page.url).query)
    assert (asked["phi_by"], asked["phi_as"]) == (["Disease and outcome"], ["Direction: mean φ"])
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    frame = read_analysis.analysed(store, RUN, "train")
    phi = read_levels.selection_phi(store, RUN, "train").reindex(frame["sample_id"])["ehr_3"].to_numpy()
    members = memberships(frame, "both", Definition(24, 72))
    with chromium_page() as fresh:
        fresh.goto(page.url)
        idle(fresh)
        found = drawn(fresh, "chart-groups-ehr")
        third = {name.removesuffix(" x3"): value for name, value in found.items() if name.endswith(" x3")}
        assert {"All stays"} < set(third) <= set(members.columns)
        assert third == {name: pytest.approx(phi[members[name]].mean()) for name in third}
        assert fresh.lemof_failures == [] and fresh.lemof_outside_requests == []


def test_seeds_ranks_and_signs_are_drawn_and_the_other_run_is_a_click_away(server: str, page: Page) -> None:
    page.goto(f"{server}/levels?run={RUN}")
    idle(page)
    for key in ("chart-seeds-ecg", "chart-seeds-ehr", "chart-ranks-ecg", "chart-ranks-ehr", "chart-correlation"):
        expect(page.locator(f".st-key-{key} .js-plotly-plot")).to_be_visible()
    expect(page.get_by_role("heading", name="ECG: level 3 is k* in all 2 runs")).to_be_visible()
    table = page.get_by_test_id("stDataFrame").nth(2)  # after those of the two modalities
    table.scroll_into_view_if_needed()
    link = table.get_by_test_id("glide-cell-0-1")
    assert parse_qs(urlsplit(link.text_content() or "").query)["run"] == [OTHER]
    assert page.lemof_failures == []


def test_the_charts_of_groups_fit_a_phone_and_a_run_without_predictions_says_so(server: str) -> None:
    with chromium_page(390, 844, "dark") as page:
        page.goto(f"{server}/levels?run={RUN}&phi_by=Outcome")
        idle(page)
        page.get_by_test_id("provenance").wait_for()
        assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
        titles = page.locator(".st-key-chart-groups-ehr .annotation-text")
        expect(titles).to_have_count(3)
        boxes = [box for box in (one.bounding_box() for one in titles.all()) if box is not None]
        assert all(a["x"] + a["width"] <= b["x"] for a, b in pairwise(boxes)), "titles overlap"
        page.goto(f"{server}/levels?run={OTHER}")
        idle(page)
        expect(page.get_by_text("has not scored the samples")).to_be_visible()
