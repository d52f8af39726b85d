"""The model card in a browser: its files are made on request, open offline, and its lists are a link."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from browser_support import ROOT, chromium_page, idle, streamlit_server
from pages_support import RUN, PagesStores, pages_stores
from pdf_support import text_of
from playwright.sync_api import Page, expect

from dashboard.model_card_checklist import SCHEMA

__all__ = ["pages_stores"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url(pages_stores: PagesStores) -> Iterator[str]:
    with streamlit_server(ROOT / "streamlit_app.py", env={"LEMOF_HOME": str(pages_stores.home["full"])}) as found:
        yield found + "/model-card"


def fetched(page: Page, label: str, folder: Path) -> Path:
    """The file behind the button, on disk under its own name."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_reports_and_card_come_as_files(url: str, page: Page, tmp_path: Path) -> None:
    page.goto(f"{url}?run={RUN}")
    idle(page)
    document = fetched(page, "Report (PDF)", tmp_path)
    report = fetched(page, "Report (HTML)", tmp_path)
    card = json.loads(fetched(page, "Card (JSON)", tmp_path).read_text(encoding="utf-8"))
    jsonschema.validate(card, json.loads(SCHEMA.read_text(encoding="utf-8")))
    text = text_of(document.read_bytes())
    assert document.name == f"lemof-{RUN}-test.pdf" and RUN in text
    for width, scheme in ((390, "dark"), (1440, "light")):
        with chromium_page(width, 900, scheme) as offline:
            offline.context.set_offline(True)
            offline.goto(report.as_uri())
            expect(offline.get_by_role("heading", level=1)).to_contain_text(RUN)
            shown = offline.locator("table.facts").inner_text()
            assert next(part for part in shown.split() if len(part) == 64) in text, "both formats name the same data"
            assert offline.locator("figure svg").count() == 6
            assert offline.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            ink = "rgb(230, 231, 232)" if scheme == "dark" else "rgb(26, 28, 30)"
            assert offline.locator("figure svg text").first.evaluate("e => getComputedStyle(e).fill") == ink
            assert offline.lemof_failures == []  # type: ignore[attr-defined]


def test_a_link_names_the_list_and_what_is_shown_of_it(url: str, page: Page) -> None:
    page.goto(f"{url}?checklist=CHAI&only_gaps=true")
    idle(page)
    rows = page.get_by_test_id("checklist").locator("tbody tr")
    gaps = rows.count()
    assert 5 < gaps < 38
    page.get_by_text("Only what is not provided").click()
    idle(page)
    expect(rows).to_have_count(38)
    assert "only_gaps=true" not in page.url and "checklist=CHAI" in page.url
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.get_by_test_id("checklist").evaluate("e => e.scrollWidth <= e.clientWidth")
