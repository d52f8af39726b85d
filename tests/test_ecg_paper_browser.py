"""ECG paper in a real browser comes in; scale, traces, faults and words are held to pixels and printed lengths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import find_chromium
from ecg_paper_support import drag, opened, paper, paper_app, points
from playwright.sync_api import Page, expect

from dashboard.ecg_payload import LEADS, ROWS_PER_LAYOUT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
SCALES = [(speed, gain) for speed in (25, 50) for gain in (5, 10, 20)]
PX_PER_MM = 4


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with paper_app(tmp_path_factory.mktemp("ecg")) as served:
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
    assert sheet.locator("xpath=..").get_by_test_id("ecg-scale").text_content() == f"{speed} mm/s  {gain} mm/mV"


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
    named = [*LEADS, *(["II"] if layout == "3x4+II" else [])]
    assert sorted(labels) == sorted("-aVR" if layout == "Cabrera" and lead == "aVR" else lead for lead in named)
    expect(sheet.locator('[data-inverted="true"]')).to_have_count(int(layout == "Cabrera"))


def test_cabrera_goes_round_the_heart_and_shows_avr_from_the_other_side(layouts: Page) -> None:
    sheet = paper(layouts, "Cabrera")
    left = [trace.get_attribute("data-lead") for trace in sheet.locator("path[data-lead]").all()][::2]
    assert left == ["aVL", "I", "aVR", "II", "aVF", "III"]
    upright, inverted = (points(paper(layouts, layout).locator('[data-lead="aVR"]')) for layout in ("6x2", "Cabrera"))
    zeros = [
        float(re.search(r"[MV]\S+ ([\d.]+)", sheet_of.locator(".foot").nth(row).get_attribute("d") or "")[1])
        for sheet_of, row in ((paper(layouts, "6x2"), 3), (sheet, 2))
    ]
    heights = [[y - zero for _, y in drawn[:1000]] for drawn, zero in zip((upright, inverted), zeros, strict=True)]
    assert heights[1] == pytest.approx([-y for y in heights[0]], abs=0.02)
    assert min(heights[0]) == pytest.approx(-40, abs=0.02)  # 1 mV upwards


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
