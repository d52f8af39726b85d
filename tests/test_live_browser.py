"""The live page in a real browser, on a trained store: from files to an answer, to the next patient's, or to a no."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
import numpy as np
from browser_support import ROOT, chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from live_support import LEADS, csv_file, heart, npz_file, wfdb_files, zipped
from playwright.sync_api import Page, expect

from cohort_db import read, read_results
from cohort_db.ecg_wfdb import read_signal
from cohort_db.store import Store
from dashboard.live_case import stored_case
from dashboard.live_ehr import ehr_csv
from dashboard.live_form import charted
from lemof_core.ecg_signal import LEADS as IN_ORDER
from lemof_core.ecg_signal import arrange_leads
from lemof_core.live.electrodes import exchanged

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
    expect(page.get_by_test_id("live-facts")).to_contain_text("12 of 12")
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
    # The small run of the tests has little skill: where it abstains, the number stands beneath the reasons.
    return page.locator("[data-testid=risk-probability], [data-testid=abstained-probability]")


def test_a_stored_stays_own_data_give_its_stored_prediction_on_the_page(page: Page, demo_store: Store) -> None:
    stay_id, p, _ = some_sample(demo_store)
    page.get_by_text("Use a stored stay's own data").click()
    idle(page)
    page.get_by_label("Stay id").fill(str(stay_id))
    page.get_by_label("Stay id").press("Enter")
    idle(page)
    predict(page)
    expect(page.get_by_text("The same as the stored prediction")).to_be_visible(timeout=90_000)
    expect(answer(page)).to_have_text(re.compile(rf"^{p:.2f}"))
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
    expect(page.get_by_test_id("live-risk")).to_be_visible()
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
    expect(page.get_by_test_id("live-facts")).to_have_count(0)
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


def upload(page: Page, files: dict[str, bytes], place: int = 0) -> None:
    payload = [{"name": name, "mimeType": "application/octet-stream", "buffer": body} for name, body in files.items()]
    page.locator("input[type=file]").nth(place).set_input_files(payload)
    idle(page)


def test_the_uploaded_files_of_a_stored_stay_give_its_stored_prediction_to_1e_6(
    page: Page, demo_store: Store, tmp_path: Path
) -> None:
    stay_id, p, record = some_sample(demo_store)
    case = stored_case(demo_store, stay_id)
    file = tmp_path / "values.csv"
    file.write_text(ehr_csv(charted(case), case.static))
    give_ecg(page, record)
    give_values(page, file)
    predict(page)
    expect(answer(page)).to_have_text(re.compile(rf"^{p:.2f}"), timeout=90_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download this answer").click()
    kept = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert abs(kept["prediction"]["p"] - p) <= 1e-6
    assert kept["read"]["static"] == case.static and len(kept["read"]["values"]) == len(case.value)
    assert kept["read"]["ecg"]["Rate"].endswith("resampled to the model's 100 Hz")
    parts = sum(port["phi_logit"] for port in kept["branch_values"])
    assert abs(parts + kept["calibration"]["base_logit"] - kept["prediction"]["logit"]) <= 1e-9


def test_microvolts_named_millivolts_cannot_be_predicted_and_named_so_they_can(page: Page) -> None:
    upload(page, {"ecg.csv": csv_file(heart() * 1000, time_s=np.arange(5000) / 500)})
    expect(page.get_by_text("are these microvolts or raw counts, read as mV")).to_be_visible()
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
    page.locator("[data-testid=stSelectbox]", has_text="Unit").locator("input").first.click()
    page.get_by_role("option", name="uV").click()
    expect(page.get_by_text("are these microvolts")).to_have_count(0)
    expect(page.get_by_test_id("live-facts")).to_contain_text("uV, read as mV")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_enabled()


def test_a_stored_record_with_exchanged_arms_warns_and_as_it_is_does_not(page: Page, demo_store: Store) -> None:
    _, _, record = some_sample(demo_store)
    signal = read_signal(record)
    ecg_mv = arrange_leads(signal.signal_mv, sig_name=signal.sig_name)
    arms = wfdb_files(exchanged(ecg_mv, (1, 0, 2)).T, name="arms", leads=IN_ORDER)
    upload(page, arms)
    expect(
        page.get_by_text(re.compile("right arm's electrode looks exchanged, most likely with the left arm"))
    ).to_be_visible()
    page.get_by_role("button", name="New patient").click()
    idle(page)
    give_ecg(page, record)
    expect(page.get_by_text("looks exchanged")).to_have_count(0)


def test_one_of_several_recordings_and_a_window_of_it_are_chosen_and_drawn(page: Page) -> None:
    long = wfdb_files(heart(60.0), name="long")
    short = {
        "short.npz": npz_file({"signal": heart(8.0)[:, :8], "names": np.array(LEADS[:8]), "fs": 500, "unit": "mV"})
    }
    upload(page, {**long, **short})
    facts = page.get_by_test_id("live-facts")
    expect(facts).to_contain_text("60.0 s, of which seconds 25.0 to 35.0 are read")
    strip = page.get_by_test_id("live-strip")
    expect(strip).to_have_attribute("aria-label", "Lead II, all 60.0 s; seconds 25.0 to 35.0 are read")
    page.get_by_role("slider").press("Home")
    expect(facts).to_contain_text("seconds 0.0 to 10.0 are read")
    expect(page.locator("[data-testid=ecg-paper]")).to_have_count(1)
    page.locator("[data-testid=stSelectbox]", has_text="Which of the 2").locator("input").click()
    page.get_by_role("option", name="short").click()
    expect(facts).to_contain_text("8 of 12")
    expect(page.get_by_text("has 8.0 s; the model reads ten")).to_be_visible()
    expect(strip).to_have_count(0)


HOSTILE = {
    "path": (wfdb_files(heart()), b"case.dat", b"../../etc/passwd", "not beside it"),
    "remote": (wfdb_files(heart()), b"case.dat", b"https://example.org/case.dat", "not beside it"),
    "absurd": (wfdb_files(heart()), b" 500 5000", b" 500 1000000000000", "is cut short"),
    "pickle": ({"a.npz": npz_file({"I": np.array([{}] * 9, dtype=object)})}, b"", b"", "never loaded"),
    "bomb": ({"a.npz": zipped({"I.npy": bytes(200_000_000)})}, b"", b"", "unpacks to 200 MB"),
    "columns": ({"a.csv": b",".join(b"c%d" % n for n in range(1_000_000))}, b"", b"", "a line of"),
    "cell": ({"a.csv": b"I,II\n1,2\n=cmd(),2\n"}, b"", b"", "holds text where a number belongs"),
}


def test_hostile_uploads_are_one_sentence_each_and_the_server_goes_on(page: Page) -> None:
    for files, old, new, sentence in HOSTILE.values():
        upload(page, {name: body.replace(old, new) if name.endswith(".hea") else body for name, body in files.items()})
        expect(page.get_by_test_id("stAlert").filter(has_text=sentence)).to_have_count(1)
        expect(page.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
        assert "Traceback" not in page.inner_text("body") and "root:" not in page.inner_text("body")
        page.get_by_role("button", name="New patient").click()
        # The form is a new one by then: what is given to the old one is lost.
        expect(page.get_by_test_id("stAlert").filter(has_text=sentence)).to_have_count(0)
        idle(page)
    upload(page, wfdb_files(heart()))
    expect(page.get_by_test_id("live-facts")).to_contain_text("12 of 12")


def test_what_a_file_says_is_shown_as_text_and_asks_for_nothing(page: Page) -> None:
    picture = "![x](http://example.org/x.png)"
    upload(page, {"<img src=x>.csv": csv_file(heart(), **{picture: [1] * 5000, "<img src=y>": [1] * 5000})})
    page.get_by_label("Sampling rate").fill("500")
    page.keyboard.press("Enter")
    facts = page.get_by_test_id("live-facts")
    expect(facts).to_contain_text(picture)
    expect(facts).to_contain_text("<img src=y>")
    upload(page, {"b.csv": f"variable,hours,value\n{picture},1,2\n".encode()}, place=1)
    expect(page.get_by_text("names no variable")).to_be_visible()
    # A mistake in one part leaves the other parts as they were given.
    expect(facts).to_be_visible()
    assert page.locator("[data-testid=stMain] img").count() == 0
