"""The whole app on a really trained store, in a real browser: every page, and a base path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import ROOT, chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
PAGES = (
    "/",
    "/cohort",
    "/case",
    "/levels",
    "/performance",
    "/methods",
    "/live",
    "/model-card",
    "/errors",
    "/compare",
    "/cohorts",
)


@pytest.fixture(scope="module")
def url(demo_home: Path) -> Iterator[str]:
    env = {"LEMOF_HOME": str(demo_home)}
    with streamlit_server(ROOT / "streamlit_app.py", env=env) as served, chromium_browser():
        yield served


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_with_its_banner_and_without_an_error(page: Page, url: str, path: str) -> None:
    page.goto(url + path)
    idle(page)
    expect(page.get_by_test_id("data-banner")).to_contain_text("Synthetic data")
    expect(page.get_by_test_id("data-banner")).to_contain_text("Not a medical device")
    assert page.locator("[data-testid=stException]").count() == 0


@pytest.mark.slow
def test_the_app_works_behind_a_base_path(demo_home: Path) -> None:
    env = {"LEMOF_HOME": str(demo_home)}
    with (
        streamlit_server(ROOT / "streamlit_app.py", "--server.baseUrlPath", "lemof", env=env) as url,
        chromium_page() as page,
    ):
        page.goto(f"{url}/levels")
        idle(page)
        expect(page.get_by_test_id("data-banner")).to_be_visible()
        assert page.locator("[data-testid=stException]").count() == 0
