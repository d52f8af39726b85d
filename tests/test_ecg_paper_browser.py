"""ECG paper in a real browser comes in; scale, traces, calipers and overlays are held to pixels and milliseconds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import chromium_browser, chromium_page, find_chromium, idle, streamlit_server
from playwright.sync_api import Locator, Page, expect

from dashboard.ecg_payload import LEADS, ROWS_PER_LAYOUT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]

SCALES = [(speed, gain) for speed in (25, 50) for gain in (5, 10, 20)]
PX_PER_MM = 4

# Square waves of exactly 1 mV, 1 s high and 1 s low: edges give the second, plateaus the millivolt.
APP = """
import numpy as np
import streamlit as st
from dashboard.ecg_paper import ecg_paper
from dashboard.ecg_payload import LEADS, ROWS_PER_LAYOUT

st.set_page_config(layout="wide")
fs = 500
seconds = np.arange(10 * fs) / fs
square = np.tile((np.floor(seconds + 0.5) % 2).astype(float), (12, 1))
case = st.query_params["case"]

if case == "scales":
    for speed in (25, 50):
        for gain in (5, 10, 20):
            scale = f"{speed}-{gain}"
            ecg_paper(square, fs, LEADS, stay_id=scale, run_id="r", key=scale, speed=speed, gain=gain)
if case == "layouts":
    for layout in ROWS_PER_LAYOUT:
        beats = square.copy()
        beats[LEADS.index("V4"), (np.arange(5000) % 400) < 20] = 3.9
        beats[LEADS.index("aVF"), (np.arange(5000) % 400) < 20] = -4.2
        ecg_paper(beats, fs, LEADS, stay_id=layout, run_id="r", key=layout, layout=layout)
if case == "faults":
    faulty = square.copy()
    faulty[LEADS.index("III"), 300:400] = np.nan
    faulty[LEADS.index("V6"), 4000:4020] = 20.0
    faulty[LEADS.index("V3")] = np.nan
    html = "<img src=x onerror=alert(1)>"
    ecg_paper(faulty, fs, LEADS, stay_id=html, run_id="r", key="f", quality={"V1": html}, caption=html)
if case == "patient":
    patients = ("A", "B")
    if st.button("Other patient"):
        st.session_state.patient = 1 - st.session_state.get("patient", 0)
    stay = patients[st.session_state.get("patient", 0)]
    shown = dict(gain=20) if st.checkbox("Double gain") else {}
    if st.checkbox("Saliency"):
        shown["saliency"] = np.tile(np.linspace(0, 1, 100), (12, 1))
    if st.checkbox("Windows"):
        shown |= dict(attention=np.arange(1, 11) / 55, highlight=(1.2, 1.7))
    ecg = square * (1.0 if stay == "A" else -0.5)
    st.text(repr(ecg_paper(ecg, fs, LEADS, stay_id=stay, run_id="r", key="p", **shown)))
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = tmp_path_factory.mktemp("ecg") / "app.py"
    app.write_text(APP, encoding="utf-8")
    with streamlit_server(app) as served, chromium_browser():
        yield served


@pytest.fixture(scope="module")
def scales(url: str) -> Iterator[Page]:
    yield from opened(url, "scales", len(SCALES))


@pytest.fixture(scope="module")
def layouts(url: str) -> Iterator[Page]:
    yield from opened(url, "layouts", len(ROWS_PER_LAYOUT))


@pytest.fixture(scope="module")
def faults(url: str) -> Iterator[Page]:
    yield from opened(url, "faults", 1)


@pytest.fixture
def patient(url: str) -> Iterator[Page]:
    yield from opened(url, "patient", 1)


def opened(url: str, case: str, n_papers: int, width: int = 1440, scheme: str = "light") -> Iterator[Page]:
    """A page with its papers drawn; nothing may have gone wrong on it, nor out of it, when its tests are over."""
    with chromium_page(width, 900, scheme) as page:
        page.goto(f"{url}/?case={case}")
        expect(page.get_by_test_id("ecg-grid")).to_have_count(n_papers)
        idle(page)
        yield page
        assert page.lemof_console_errors == []
        assert page.lemof_outside_requests == []


def paper(page: Page, stay: str) -> Locator:
    return page.locator(f'[data-testid="ecg-paper"][data-stay="{stay}"]')


def points(path: Locator) -> list[tuple[float, float]]:
    pairs = re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get_attribute("d") or "")
    return [(float(x), float(y)) for x, y in pairs]


def drag(page: Page, x: float, y: float, dx: float, dy: float) -> None:
    """The mouse goes down at (x, y) of the sheet and up again (dx, dy) further."""
    box = page.get_by_test_id("ecg-grid").bounding_box()
    assert box
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x + dx, box["y"] + y + dy, steps=4)
    page.mouse.up()


def result(page: Page) -> Locator:
    return page.get_by_test_id("stText")


@pytest.mark.parametrize(("speed", "gain"), SCALES)
def test_pulse_second_and_millivolt_have_their_printed_length(scales: Page, speed: int, gain: int) -> None:
    sheet = paper(scales, f"{speed}-{gain}")
    pulse = sheet.get_by_test_id("cal-pulse").bounding_box()
    assert pulse
    assert pulse["height"] == pytest.approx(gain * PX_PER_MM, abs=1)
    assert pulse["width"] == pytest.approx(5 * PX_PER_MM, abs=1)

    rhythm = sheet.locator('[data-rhythm="true"]')
    wave = points(rhythm)
    heights = [y for _, y in wave]
    assert max(heights) - min(heights) == pytest.approx(gain * PX_PER_MM, abs=0.02)
    edges = [x for (x, y), (_, following) in pairwise(wave) if y != following]
    assert [right - left for left, right in pairwise(edges)] == pytest.approx([speed * PX_PER_MM] * 9, abs=0.02)
    # No style or viewBox scales what the path says.
    scale = rhythm.evaluate("path => { const m = path.getScreenCTM(); return [m.a, m.b, m.c, m.d]; }")
    assert scale == [1, 0, 0, 1]
    drawn = rhythm.evaluate("path => { const b = path.getBBox(); return [b.width, b.height]; }")
    assert drawn == pytest.approx([9.998 * speed * PX_PER_MM, gain * PX_PER_MM], abs=0.02)
    assert sheet.get_by_test_id("ecg-scale").text_content() == f"{speed} mm/s  {gain} mm/mV"


def test_the_grid_lies_on_millimetres_and_the_pulse_on_the_grid(scales: Page) -> None:
    sheet = paper(scales, "25-10")
    at = re.findall(r"M([\d.]+) 0V", sheet.locator(".grid-major").get_attribute("d") or "")
    assert [float(x) for x in at][:4] == [0, 20, 40, 60]
    foot = sheet.get_by_test_id("cal-pulse").evaluate("path => path.getBBox().y + path.getBBox().height")
    assert foot % 20 == 0
    assert points(sheet.locator('[data-rhythm="true"]'))[0][0] % 20 == 0


@pytest.mark.parametrize("layout", list(ROWS_PER_LAYOUT))
def test_each_layout_draws_each_lead_once_and_its_rhythm(layouts: Page, layout: str) -> None:
    sheet = paper(layouts, layout)
    for lead in LEADS:
        expect(sheet.locator(f'path[data-lead="{lead}"]:not([data-rhythm])')).to_have_count(1)
    expect(sheet.locator('[data-lead="II"][data-rhythm="true"]')).to_have_count(int(layout == "3x4+II"))
    expect(sheet.locator(".pulse")).to_have_count(ROWS_PER_LAYOUT[layout] + int(layout == "3x4+II"))
    labels = sheet.locator("text.label").all_text_contents()
    assert sorted(labels) == sorted([*LEADS, *(["II"] if layout == "3x4+II" else [])])


@pytest.mark.parametrize("layout", list(ROWS_PER_LAYOUT))
def test_tall_complexes_never_reach_into_the_next_row(layouts: Page, layout: str) -> None:
    rows: dict[float, list[float]] = {}
    sheet = paper(layouts, layout)
    for trace in sheet.locator("[data-lead]").all():
        clip = trace.locator("xpath=..").get_attribute("clip-path") or ""
        rows.setdefault(float(re.search(r"-(\d+)\)", clip)[1]), []).extend(y for _, y in points(trace))
    ordered = [rows[number] for number in sorted(rows)]
    assert len(ordered) == ROWS_PER_LAYOUT[layout] + int(layout == "3x4+II")
    assert all(max(upper) < min(lower) for upper, lower in pairwise(ordered))


def test_columns_of_3x4_are_consecutive_windows_in_time(layouts: Page) -> None:
    sheet = paper(layouts, "3x4+II")
    starts = [points(sheet.locator(f'[data-lead="{lead}"]'))[0][0] for lead in ("I", "aVR", "V1", "V4")]
    assert starts == pytest.approx([40, 290, 540, 790], abs=0.01)
    ends = [points(sheet.locator(f'[data-lead="{lead}"]'))[-1][0] for lead in ("I", "aVR", "V1")]
    assert ends == pytest.approx(starts[1:], abs=0.01)


def test_gaps_missing_leads_and_clipping_are_shown_and_named(faults: Page) -> None:
    assert (faults.locator('[data-lead="III"]').get_attribute("d") or "").count("M") == 2
    assert faults.locator('[data-lead="V3"]').get_attribute("d") == ""
    labels = faults.locator("text.label").all_text_contents()
    assert "V3no signal" in labels
    assert "V6clipped at the row's edge" in labels
    assert faults.locator('[data-clipped="true"]').get_attribute("data-lead") == "V6"
    assert "no signal in V3" in (faults.get_by_test_id("ecg-paper").get_attribute("aria-label") or "")


def test_text_of_a_patient_is_never_markup(faults: Page) -> None:
    text = "<img src=x onerror=alert(1)>"
    assert faults.get_by_test_id("ecg-paper").get_attribute("data-stay") == text
    assert f"V1{text}" in faults.locator("text.label").all_text_contents()
    assert text in (faults.get_by_test_id("ecg-footer").text_content() or "")
    expect(faults.get_by_test_id("ecg-paper").locator("img")).to_have_count(0)


def test_the_paper_has_a_name_for_those_who_do_not_see_it(scales: Page) -> None:
    sheet = paper(scales, "50-20")
    assert sheet.get_attribute("role") == "img"
    assert sheet.get_attribute("tabindex") == "0"
    name = sheet.get_attribute("aria-label") or ""
    assert all(part in name for part in ("I, II, III, aVR", "50 mm/s", "20 mm/mV", "10.0 s"))


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
        expect(result(patient)).to_have_text("EcgPaperResult(caliper=None, caliper_mv=None, window=None)")
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


def test_on_a_phone_the_paper_scrolls_inside_itself_at_true_scale(url: str) -> None:
    for page in opened(url, "patient", 1, width=390):
        scroll = page.locator(".ecg-scroll")
        assert scroll.evaluate("s => s.scrollWidth") == 1060
        assert scroll.evaluate("s => s.clientWidth") < 390
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        pulse = page.get_by_test_id("cal-pulse").bounding_box()
        assert pulse and pulse["height"] == pytest.approx(40, abs=1)
        page.get_by_test_id("ecg-paper").focus()
        page.keyboard.press("ArrowRight")
        expect(page.locator(".ecg-scroll")).to_have_js_property("scrollLeft", 40)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_on_the_paper_can_be_read_in_both_themes(url: str, scheme: str) -> None:
    resolve = """elements => elements.map(element => {
        const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
        const style = getComputedStyle(element);
        const colour = element.closest("svg") ? style.fill : style.color;
        const back = getComputedStyle(element.getRootNode().querySelector(".ecg-scroll")).backgroundColor;
        return [colour, back].map(value => {
            context.fillStyle = value;
            context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
        });
    })"""
    for page in opened(url, "faults", 1, scheme=scheme):
        drag(page, 140, 300, 80, -40)
        expect(page.get_by_test_id("caliper-readout")).to_have_count(1)
        words = page.locator(".ecg-scroll text, .ecg-scroll tspan, .ecg-foot > span")
        for text, back in words.evaluate_all(resolve):
            assert contrast(text, back) >= 4.5
        (ink,) = page.locator(".ecg-scroll text.label").first.evaluate_all(resolve)
        assert (sum(ink[0]) < sum(ink[1])) is (scheme == "light")


def contrast(one: list[int], other: list[int]) -> float:
    """The contrast ratio of WCAG 2.2."""

    def luminance(rgb: list[int]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
