"""The whole app on a really trained store, in a real browser: every page, and the live road from file to answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import ROOT, chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from playwright.sync_api import Page, expect

from cohort_db import read, read_results
from cohort_db.store import Store

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
# Streamlit asks for its health below a page's own path before it asks at the root; the browser logs the 404.
HARMLESS = "Failed to load resource: the server responded with a status of 404 (Not Found)"
PAGES = ("/", "/cohort", "/case", "/levels", "/performance", "/live", "/model-card")


@pytest.fixture(scope="module")
def url(demo_home: Path) -> Iterator[str]:
    env = {"LEMOF_HOME": str(demo_home)}
    with streamlit_server(ROOT / "streamlit_app.py", env=env) as served, chromium_browser():
        yield served


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    with chromium_page() as page:
        yield page
        assert [error for error in page.lemof_console_errors if error != HARMLESS] == []
        assert page.lemof_outside_requests == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_opens_with_its_banner_and_without_an_error(page: Page, url: str, path: str) -> None:
    page.goto(url + path)
    idle(page)
    expect(page.get_by_test_id("data-banner")).to_contain_text("Synthetic data")
    expect(page.get_by_test_id("data-banner")).to_contain_text("Not a medical device")
    assert page.locator("[data-testid=stException]").count() == 0


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


def some_sample(store: Store) -> tuple[int, float, Path]:
    """Return (stay, stored probability, WFDB record) of a sample with an ECG."""
    run_id = read_results.newest_run(store)
    predicted = read_results.predictions(store, run_id)
    row = predicted[predicted["path"] == "both"].iloc[0]
    samples = read.samples(store).set_index("sample_id")
    record = read.ecg_record(store, int(samples.loc[row["sample_id"], "study_id"]))["record_path"]
    return int(row["stay_id"]), float(row["p"]), Path(record)


def test_a_stored_stays_own_data_give_its_stored_prediction_on_the_page(
    page: Page, url: str, demo_store: Store
) -> None:
    stay_id, p, _ = some_sample(demo_store)
    page.goto(f"{url}/live")
    idle(page)
    page.get_by_text("Use a stored stay's own data").click()
    idle(page)
    page.get_by_label("Stay id").fill(str(stay_id))
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("The same as the stored prediction")).to_be_visible(timeout=90_000)
    expect(page.get_by_test_id("live-probability")).to_have_text(f"{p:.2f}")
    expect(page.locator("[data-testid=ecg-paper]")).to_be_visible()


def test_an_uploaded_wfdb_pair_is_predicted_and_drawn(page: Page, url: str, demo_store: Store) -> None:
    _, _, record = some_sample(demo_store)
    page.goto(f"{url}/live")
    idle(page)
    files = [str(record.with_suffix(suffix)) for suffix in (".hea", ".dat")]
    page.locator("input[type=file]").first.set_input_files(files)
    idle(page)
    expect(page.get_by_text(re.compile("Read: 12 leads"))).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_test_id("live-probability")).to_have_text(re.compile(r"0\.\d\d|1\.00"), timeout=90_000)
    assert page.locator("[data-testid=ecg-paper]").get_attribute("data-stay") == "live"


def test_a_wrong_file_is_one_sentence_on_the_page(page: Page, url: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    page.goto(f"{url}/live")
    idle(page)
    page.locator("input[type=file]").nth(1).set_input_files(str(wrong))
    expect(page.get_by_text("the EHR file has no column variable")).to_be_visible(timeout=30_000)
