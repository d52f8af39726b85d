"""What a reader does on ECG paper comes in; calipers, overlays, windows and the change of patient are held to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import find_chromium, idle
from ecg_paper_support import drag, opened, paper_app, points, result
from playwright.sync_api import Page, expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with paper_app(tmp_path_factory.mktemp("ecg")) as served:
        yield served


@pytest.fixture
def patient(url: str) -> Iterator[Page]:
    yield from opened(url, "patient", 1)


def test_eighty_pixels_are_800_ms_and_forty_are_one_millivolt(patient: Page) -> None:
    drag(patient, 140, 200, 80, -40)
    read = patient.get_by_test_id("caliper-readout")
    expect(read).to_have_text("800 ms · 75 bpm · 1.00 mV")
    expect(patient.get_by_test_id("caliper-line")).to_have_count(2)
    expect(result(patient)).to_contain_text("caliper=(1.0, 1.8, 'II'), caliper_mv=1.0")
    patient.get_by_text("Double gain").click()
    expect(patient.get_by_test_id("ecg-scale")).to_contain_text("20 mm/mV")
    expect(read).to_have_text("800 ms · 75 bpm · 1.00 mV")  # measured in the ECG's units, not the paper's
    lines = patient.locator(".caliper line:not([data-testid])")
    heights = [float(line.get_attribute("y1") or "nan") for line in lines.all()]
    assert abs(heights[0] - heights[1]) == pytest.approx(80)


def test_keys_move_march_and_clear_the_caliper(patient: Page) -> None:
    patient.get_by_test_id("ecg-paper").focus()
    patient.keyboard.press("Enter")
    read = patient.get_by_test_id("caliper-readout")
    expect(read).to_have_text("1000 ms · 60 bpm · 0.00 mV")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight", "ArrowUp"):
        patient.keyboard.press(key)
    expect(read).to_have_text("980 ms · 61 bpm · 0.05 mV")
    expect(result(patient)).to_contain_text("caliper=(0.0, 0.98, 'I')")
    patient.keyboard.press("m")
    ticks = [float(tick.get_attribute("x1") or "nan") for tick in patient.get_by_test_id("march-tick").all()]
    assert len(ticks) == 9  # of 0 to 10 s, from the second repeat on
    assert [right - left for left, right in pairwise(ticks)] == pytest.approx([98] * 8)
    patient.keyboard.press("m")
    expect(patient.get_by_test_id("march-tick")).to_have_count(0)
    patient.keyboard.press("Escape")
    expect(read).to_have_count(0)
    expect(result(patient)).to_contain_text("caliper=None")


def test_the_button_marches_the_caliper_out_and_needs_a_caliper(patient: Page) -> None:
    march = patient.get_by_role("button", name="March out")
    expect(march).to_be_disabled()
    drag(patient, 140, 200, 80, -40)  # 0.8 s from 1.0 s: beats at 0.2, 2.6 ... 9.8 s
    march.click()
    expect(march).to_have_attribute("aria-pressed", "true")
    ticks = [float(tick.get_attribute("x1") or "nan") for tick in patient.get_by_test_id("march-tick").all()]
    assert ticks == pytest.approx([40 + 100 * second for second in (0.2, *np.arange(2.6, 9.9, 0.8))])
    patient.get_by_test_id("ecg-paper").focus()
    patient.keyboard.press("m")
    expect(march).to_have_attribute("aria-pressed", "false")
    expect(patient.get_by_test_id("march-tick")).to_have_count(0)
    march.click()
    patient.get_by_test_id("ecg-paper").focus()
    patient.keyboard.press("Escape")
    expect(march).to_be_disabled()


def test_saliency_lies_under_the_trace_and_leaves_it_alone(patient: Page) -> None:
    paths = "() => [...document.querySelectorAll('*')].map(e => e.shadowRoot).filter(Boolean)"
    paths += ".flatMap(r => [...r.querySelectorAll('[data-lead]')].map(p => p.getAttribute('d')))"
    bare = patient.evaluate(paths)
    assert len(bare) == 13 and all(len(d) > 1000 for d in bare)
    patient.get_by_text("Saliency", exact=True).click()
    bands = patient.locator("rect.saliency")
    expect(bands.first).to_be_attached()
    assert patient.evaluate(paths) == bare
    # The top tenth of a rising ramp is the last second: of the columns only V4 to V6 show it, and the rhythm strip.
    seen = {band.get_attribute("data-saliency-lead") for band in bands.all()}
    assert seen == {"V4", "V5", "V6", "II"}
    trace = patient.locator('[data-lead="V6"]')
    follows = "(band, trace) => Boolean(band.compareDocumentPosition(trace) & Node.DOCUMENT_POSITION_FOLLOWING)"
    assert bands.last.evaluate(follows, trace.element_handle())
    patient.get_by_text("Saliency", exact=True).click()
    expect(bands).to_have_count(0)
    assert patient.evaluate(paths) == bare


def test_a_click_names_its_window_and_escape_forgets_it(patient: Page) -> None:
    patient.get_by_text("Windows").click()
    mark = patient.get_by_test_id("ecg-highlight")
    expect(mark).to_have_attribute("data-t0", "1.2")
    expect(mark).to_have_attribute("data-t1", "1.7")
    box, grid = mark.bounding_box(), patient.get_by_test_id("ecg-grid").bounding_box()
    assert box and grid
    assert (box["x"] - grid["x"], box["width"]) == pytest.approx((40 + 120, 50), abs=1)
    drag(patient, 180, 200, 0, 0)
    expect(result(patient)).to_contain_text("window=(1.2, 1.7)")
    drag(patient, 40 + 450, 200, 1, 0)
    expect(result(patient)).to_contain_text("window=(4.0, 5.0)")
    assert "caliper=None" in (result(patient).text_content() or "")
    for window, share in ((9, 1.0), (0, 0.1)):  # each row has the whole strip, scaled by its largest weight
        cells = patient.locator(f"rect.attention[data-window='{window}']")
        drawn = cells.evaluate_all("all => all.map(cell => Number(cell.getAttribute('fill-opacity')))")
        assert drawn == pytest.approx([share] * 4, abs=1e-4)
    patient.keyboard.press("Escape")
    expect(result(patient)).to_contain_text("window=None")


def test_another_patient_replaces_the_drawing_and_clears_the_caliper(patient: Page) -> None:
    patient.get_by_text("Windows").click()
    expect(patient.get_by_test_id("ecg-highlight")).to_be_attached()
    drag(patient, 180, 200, 0, 0)
    expect(result(patient)).to_contain_text("window=(1.2, 1.7)")
    drag(patient, 140, 200, 80, -40)
    expect(result(patient)).to_contain_text("caliper=(1.0, 1.8, 'II')")
    before = points(patient.locator('[data-rhythm="true"]'))
    for stay in ("B", "A"):
        patient.get_by_role("button", name="Other patient").click()
        expect(patient.get_by_test_id("ecg-paper")).to_have_attribute("data-stay", stay)
        idle(patient)
        expect(patient.locator("[data-lead]")).to_have_count(13)
        expect(patient.get_by_test_id("caliper-readout")).to_have_count(0)
        expect(result(patient)).to_have_text("EcgPaperResult(caliper=None, caliper_mv=None, window=None, cleared=None)")
        assert (points(patient.locator('[data-rhythm="true"]')) == before) is (stay == "A")


def test_two_patients_are_never_on_the_page_together(patient: Page) -> None:
    # Every frame, as the eye has it: which stays the papers on the page name.
    patient.evaluate("""() => {
        window.lemofFrames = [];
        const look = () => {
            const roots = [...document.querySelectorAll("*")].map(e => e.shadowRoot).filter(Boolean);
            const papers = roots.flatMap(root => [...root.querySelectorAll("[data-testid=ecg-paper]")]);
            window.lemofFrames.push(papers.map(paper => paper.dataset.stay).join("+"));
            requestAnimationFrame(look);
        };
        look();
    }""")
    for stay in "BABABA":
        patient.get_by_role("button", name="Other patient").click()
        expect(patient.locator(f'[data-testid="ecg-paper"][data-stay="{stay}"]')).to_have_count(1)
    idle(patient)
    assert set(patient.evaluate("window.lemofFrames")) == {"A", "B"}
