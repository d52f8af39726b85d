"""The live page in a real browser, on a really trained store: from files to an answer, and to the next patient's."""

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
from dashboard.live_case import stored_case
from dashboard.live_form import charted
from dashboard.live_input import ehr_csv

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]


@pytest.fixture(scope="module")
def url(demo_home: Path) -> Iterator[str]:
    env = {"LEMOF_HOME": str(demo_home)}
    with streamlit_server(ROOT / "streamlit_app.py", env=env) as served, chromium_browser():
        yield served


@pytest.fixture
def page(url: str) -> Iterator[Page]:
    with chromium_page() as page:
        page.goto(f"{url}/live")
        idle(page)
        yield page
        assert page.lemof_failures == []
        assert page.lemof_outside_requests == []


def some_sample(store: Store) -> tuple[int, float, Path]:
    """Return (stay, stored probability, WFDB record) of a sample with an ECG."""
    run_id = read_results.newest_run(store)
    predicted = read_results.predictions(store, run_id)
    row = predicted[predicted["path"] == "both"].iloc[0]
    samples = read.samples(store).set_index("sample_id")
    record = read.ecg_record(store, int(samples.loc[row["sample_id"], "study_id"]))["record_path"]
    return int(row["stay_id"]), float(row["p"]), Path(record)


def give_ecg(page: Page, record: Path) -> None:
    files = [str(record.with_suffix(suffix)) for suffix in (".hea", ".dat")]
    page.locator("input[type=file]").first.set_input_files(files)
    expect(page.get_by_text(re.compile("Read: 12 leads"))).to_be_visible(timeout=30_000)
    idle(page)


def give_values(page: Page, file: Path) -> None:
    page.locator("input[type=file]").nth(1).set_input_files(str(file))
    expect(page.get_by_text(re.compile(r"Read: \d+ values"))).to_be_visible(timeout=30_000)
    idle(page)


def give_age_and_sex(page: Page, age: int) -> None:
    page.get_by_label(re.compile("^Age")).fill(str(age))
    page.keyboard.press("Enter")
    idle(page)
    page.locator("[data-testid=stSelectbox]", has_text="Sex, required").locator("input").click()
    page.get_by_role("option", name="Female").click()
    idle(page)


def predict(page: Page) -> None:
    page.get_by_role("button", name="Predict", exact=True).click()


def answer(page: Page):  # type: ignore[no-untyped-def]
    return page.get_by_test_id("live-probability")


def test_a_stored_stays_own_data_give_its_stored_prediction_on_the_page(page: Page, demo_store: Store) -> None:
    stay_id, p, _ = some_sample(demo_store)
    page.get_by_text("Use a stored stay's own data").click()
    idle(page)
    page.get_by_label("Stay id").fill(str(stay_id))
    page.get_by_label("Stay id").press("Enter")
    idle(page)
    predict(page)
    expect(page.get_by_text("The same as the stored prediction")).to_be_visible(timeout=90_000)
    expect(answer(page)).to_have_text(f"{p:.2f}")
    expect(page.locator("[data-testid=ecg-paper]")).to_be_visible()
    expect(page.get_by_test_id("live-given")).to_contain_text(f"Stay {stay_id}")
    # Another stay in the form takes the answer of this one away.
    page.get_by_label("Stay id").fill(str(stay_id + 1))
    page.get_by_label("Stay id").press("Enter")
    expect(answer(page)).to_have_count(0)


def test_an_ecg_alone_is_refused_and_with_a_record_predicted_drawn_and_forgotten_for_the_next_patient(
    page: Page, demo_store: Store, tmp_path: Path
) -> None:
    stay_id, _, record = some_sample(demo_store)
    values = charted(stored_case(demo_store, stay_id))
    file = tmp_path / "values.csv"
    file.write_text(ehr_csv(values))
    give_ecg(page, record)
    give_age_and_sex(page, 61)
    predict(page)
    expect(page.get_by_text("no path was fitted for an ECG alone")).to_be_visible(timeout=90_000)
    expect(answer(page)).to_have_count(0)

    give_values(page, file)
    predict(page)
    expect(answer(page)).to_have_text(re.compile(r"0\.\d\d|1\.00"), timeout=90_000)
    expect(page.locator(".risk-scale")).to_be_visible()
    given = page.get_by_test_id("live-given")
    for words in ("ECG of 12 leads", "vital signs and labs", "Age 61 years", "Female", "Height not given"):
        expect(given).to_contain_text(words)
    assert page.locator("[data-testid=ecg-paper]").get_attribute("data-stay") == "live"

    page.get_by_label(re.compile("^Age")).fill("62")
    page.keyboard.press("Enter")
    expect(answer(page)).to_have_count(0)
    page.get_by_role("button", name="New patient").click()
    idle(page)
    expect(page.get_by_text(re.compile("Read: "))).to_have_count(0)
    expect(page.get_by_label(re.compile("^Age"))).to_have_value("")
    expect(page.get_by_text(record.name)).to_have_count(0)
    expect(page.locator("[data-testid=ecg-paper]")).to_have_count(0)


def test_a_sparse_record_is_predicted_with_a_warning_that_counts_it(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text("variable,hours,value\nheart_rate,20,112\nlactate,22,4.1\n")
    give_values(page, file)
    give_age_and_sex(page, 61)
    predict(page)
    expect(answer(page)).to_be_visible(timeout=90_000)
    expect(page.get_by_text(re.compile(r"Only 2 of \d+ vital signs"))).to_be_visible()


def test_a_wrong_file_is_one_sentence_on_the_page(page: Page, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("a,b\n1,2\n")
    page.locator("input[type=file]").nth(1).set_input_files(str(wrong))
    expect(page.get_by_text("the EHR file has no column variable")).to_be_visible(timeout=30_000)
