"""The case page on the made-up store, served; and the few steps that its browser tests take on it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from browser_support import IDENTITIES, ROOT, chromium_browser, idle, streamlit_server
from case_support import CaseStore
from playwright.sync_api import Locator, Page, expect


@pytest.fixture(scope="module")
def url(case_store: CaseStore) -> Iterator[str]:
    app, env = ROOT / "streamlit_app.py", {"LEMOF_HOME": str(case_store.home)}
    with streamlit_server(app, env=env) as served, chromium_browser():
        yield served


def opened(page: Page, url: str, **query: object) -> Page:
    """The page is at rest on the case that the query names."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{url}/case?{asked}")
    # At rest is also a page whose first run has not begun: the row of depths, an error or the question come
    # last; and the row may stand before the script that draws its buttons has come.
    page.wait_for_selector(".st-key-depth button, [data-testid=stAlert], .st-key-jump_to", state="attached")
    idle(page)
    # The keys act as soon as their script has come, which may be after the page is at rest.
    page.wait_for_function("() => !document.querySelector('.st-key-case-keys') || document.body.dataset.caseKeys")
    return page


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def next_button(page: Page) -> Locator:
    return page.locator(".st-key-case-next button")


def arrived(page: Page, stay_id: int) -> None:
    """The last panel of that patient is there, and the page is at rest; on a busy machine a history step may come late,
    and the patient is hidden and drawn once more."""
    expect(page.locator(f'[data-panel="trends"][data-stay="{stay_id}"]')).to_be_visible()
    idle(page)
    page.wait_for_function(f"() => ({IDENTITIES})().length > 0")
