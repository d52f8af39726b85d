"""Every page, light and dark, on a screen and a phone, in; nothing that axe-core calls serious, no sideways scroll."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from axe_support import violations
from browser_support import CUT_TEXTS, ROOT, chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from playwright.sync_api import Page, expect

from cohort_db import read, read_results
from cohort_db.store import open_store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
# Streamlit's own markup, which the app cannot change: rule -> the only elements that may break it.
EXCEPTIONS: dict[str, tuple[str, ...]] = {}
PAGES = (
    *("/", "/cohort", "/cohorts", "/case", "/levels", "/performance", "/errors", "/methods", "/compare"),
    *("/live", "/model-card"),
)
CASES = ("", "&depth=Attention&overlay=saliency", "&depth=Raw+values")


@pytest.fixture(scope="module")
def stay(demo_home: Path) -> int:
    """A scored stay with an ECG: its page has every panel."""
    store = open_store(f"sqlite:///{demo_home / 'cohort.db'}")
    scored = read_results.predictions(store, read_results.newest_run(store))
    store.close()
    return int(scored.loc[scored["path"] == "both", "stay_id"].iloc[0])


@pytest.fixture(scope="module")
def url(demo_home: Path) -> Iterator[str]:
    """Behind a base path, as a proxy would have it: what is asked for at the root is a failure."""
    app, env = ROOT / "streamlit_app.py", {"LEMOF_HOME": str(demo_home)}
    with streamlit_server(app, "--server.baseUrlPath", "lemof", env=env) as served, chromium_browser():
        yield served


def opened(page: Page, address: str) -> None:
    page.goto(address)
    idle(page)
    expect(page.get_by_test_id("data-banner")).to_be_visible()
    page.wait_for_timeout(800)  # charts are drawn after the page is at rest
    assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_no_request_leaves_the_base_path(
    url: str, stay: int, scheme: Literal["light", "dark"]
) -> None:
    found: dict[str, list[str]] = {}
    asked: list[str] = []
    with chromium_page(color_scheme=scheme) as page:
        page.on("request", lambda request: asked.append(request.url))
        for path in (*PAGES, *(f"/case?stay={stay}{more}" for more in CASES)):
            opened(page, url + path)
            found[path] = violations(page, EXCEPTIONS)
        assert {path: lines for path, lines in found.items() if lines} == {}
        assert page.lemof_failures == [] and page.lemof_outside_requests == []
    assert [one for one in asked if not one.startswith((url, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_and_no_chart_cuts_its_words_on_a_phone(
    url: str, stay: int, scheme: Literal["light", "dark"]
) -> None:
    cut: dict[str, list[str]] = {}
    with chromium_page(390, 844, scheme) as page:
        for path in (*PAGES, f"/case?stay={stay}", f"/case?stay={stay}&depth=Attention"):
            opened(page, url + path)
            wide = page.evaluate(
                "() => [document.documentElement, document.querySelector('[data-testid=stMain]')]"
                ".map((one) => one.scrollWidth)"
            )
            assert max(wide) <= 390, path
            cut[path] = page.evaluate(CUT_TEXTS)
    assert {path: texts for path, texts in cut.items() if texts} == {}


def test_a_case_is_leafed_through_and_linked_behind_a_base_path(url: str, stay: int, demo_home: Path) -> None:
    store = open_store(f"sqlite:///{demo_home / 'cohort.db'}")
    women = read.samples(store).query("sex == 'F'")["stay_id"].sort_values().tolist()
    store.close()
    with chromium_page() as page:
        opened(page, f"{url}/cohort?sex=Women")
        first = page.get_by_test_id("stDataFrame").first.get_by_test_id("glide-cell-1-0").text_content()
        opened(page, f"{url}/{first}")
        page.keyboard.press("k")
        expect(page.locator(f'[data-panel="identity"][data-stay="{women[1]}"]')).to_be_visible()
        assert page.url.startswith(f"{url}/case?")
        page.get_by_role("link", name="List", exact=True).click()
        page.wait_for_url(f"{url}/cohort?**")
        idle(page)
        assert page.lemof_failures == [] and page.lemof_outside_requests == []


def test_a_page_with_a_fault_is_caught(url: str) -> None:
    with chromium_page() as page:
        opened(page, url + "/model-card")
        page.evaluate(
            "document.querySelector('[data-testid=stMainBlockContainer]').insertAdjacentHTML('afterbegin',"
            ' \'<p id=faint style="color:#bbb;background:#fff">faint</p><img src="data:,">\')'
        )
        assert {line.split()[0] for line in violations(page, {})} == {"color-contrast", "image-alt"}
        assert {line.split()[0] for line in violations(page, {"color-contrast": ("#faint",)})} == {"image-alt"}
