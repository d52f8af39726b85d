"""A reader at the ECG of a case: formula, corrections, a second ECG, long and unusable records, the printed page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

pytest.importorskip("playwright", reason="playwright is not installed")
from browser_support import ROOT, chromium_browser, chromium_page, find_chromium, identities, idle, streamlit_server
from case_support import RUN
from ecg_review_support import LONG, LONG_S, NOISE, ReviewStore, review
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select

from cohort_db.ecg_readings import add_reading, reading_history, standing_readings, withdraw_reading
from cohort_db.schema import ecg_record
from cohort_db.store import open_store

__all__ = ["review"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(find_chromium() is None, reason="no Chromium or Chrome is installed"),
]
CSS_PX_PER_MM = 96 / 25.4


@pytest.fixture(scope="module")
def url(review: ReviewStore) -> Iterator[str]:
    app, env = ROOT / "streamlit_app.py", {"LEMOF_HOME": str(review.home)}
    with streamlit_server(app, env=env) as served, chromium_browser():
        yield served


@pytest.fixture
def unread(review: ReviewStore) -> Iterator[None]:
    """No reading of the linked ECG stands when the test is over."""
    yield
    store = open_store(review.url)
    for name in standing_readings(store, review.study):
        withdraw_reading(store, review.study, name, "the test")
    store.close()


def opened(page: Page, url: str, review: ReviewStore, **query: object) -> Page:
    """The page is at rest on the test patient, with that query."""
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{url}/case?stay={review.stay}&run={RUN}&{asked}")
    idle(page)
    expect(page.get_by_test_id("ecg-intervals").first).to_be_visible()
    return page


def value_of(page: Page, name: str) -> Locator:
    return page.locator(f'[data-interval="{name}"] dd').first


def source_of(page: Page, name: str) -> Locator:
    return page.locator(f'[data-interval="{name}"] dd').last


def drag_on_paper(page: Page, dx: float) -> None:
    box = page.get_by_test_id("ecg-grid").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + 300, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 300 + dx, box["y"] + 60, steps=4)
    page.mouse.up()


def correct(page: Page, quantity: str) -> Locator:
    """The form is open on that quantity."""
    page.get_by_role("button", name="Correct").first.click()
    form = page.get_by_test_id("stPopoverBody")
    option = form.get_by_role("radio", name=quantity, exact=True)
    expect(option).to_be_visible()
    idle(page)
    if option.get_attribute("aria-checked") != "true":
        option.click()
    expect(option).to_have_attribute("aria-checked", "true")
    idle(page)
    return form


def test_every_value_says_that_nobody_confirmed_it_and_the_formula_moves_qtc(
    page: Page, url: str, review: ReviewStore
) -> None:
    opened(page, url, review)
    for name in ("heart_rate_bpm", "qrs_ms", "qt_ms", "qtc_ms"):
        expect(source_of(page, name)).to_have_text("automated, unconfirmed")
    qt, rr = review.numbers["qt_ms"], 60 / review.numbers["heart_rate_bpm"]
    expected = {"Fridericia": qt / rr ** (1 / 3), "Bazett": qt / rr**0.5, "Framingham": qt + 154 * (1 - rr)}
    shown = set()
    for formula, qtc in expected.items():
        opened(page, url, review, qtc=formula)
        expect(value_of(page, "qtc_ms")).to_have_text(f"{qtc:.0f} ms")
        shown.add(f"{qtc:.0f}")
    assert len(shown) == 3  # or the choice could be a dummy
    page.get_by_role("combobox", name="Formula for QTc").click()
    page.get_by_role("option", name="Bazett").click()
    idle(page)
    assert "qtc=Bazett" in page.url
    expect(value_of(page, "qtc_ms")).to_have_text(f"{expected['Bazett']:.0f} ms")


def test_noise_is_not_measurable_and_says_why(page: Page, url: str, review: ReviewStore) -> None:
    opened(page, url, review, ecg=NOISE)
    for name in ("heart_rate_bpm", "pr_ms", "qrs_ms", "qt_ms", "qtc_ms"):
        expect(value_of(page, name)).to_have_text("not measurable")
        expect(source_of(page, name)).to_have_text(re.compile(r"no lead is good enough|needs HR and QT"))
    expect(page.get_by_test_id("ecg-signal")).to_contain_text("noisy: all leads")


@pytest.mark.usefixtures("unread")
def test_a_reading_survives_a_reload_moves_qtc_and_can_be_withdrawn(page: Page, url: str, review: ReviewStore) -> None:
    opened(page, url, review)
    form = correct(page, "QT")
    form.get_by_label("QT (ms)").fill("420")
    form.get_by_label("Read by").fill("<b>A. Reader</b>")
    form.get_by_role("button", name="Save").click()
    idle(page)
    rr = 60 / review.numbers["heart_rate_bpm"]
    for _ in range(2):
        expect(value_of(page, "qt_ms")).to_have_text("420 ms")
        told = re.compile(rf"measured by <b>A\. Reader</b>, 20\d\d-.*automated: {review.numbers['qt_ms']:.0f} ms")
        expect(source_of(page, "qt_ms")).to_have_text(told)
        expect(value_of(page, "qtc_ms")).to_have_text(f"{420 / rr ** (1 / 3):.0f} ms")
        expect(source_of(page, "qtc_ms")).to_contain_text("from a reading by")
        expect(source_of(page, "qrs_ms")).to_have_text("automated, unconfirmed")
        page.reload()
        idle(page)
    form = correct(page, "QT")
    form.get_by_label("Read by").fill("B. Reader")
    form.get_by_role("button", name="Withdraw").click()
    idle(page)
    expect(value_of(page, "qt_ms")).to_have_text(f"{review.numbers['qt_ms']:.0f} ms")
    expect(source_of(page, "qt_ms")).to_have_text("automated, unconfirmed")
    store = open_store(review.url)
    assert [(row.value, row.withdrawn, row.reader) for row in reading_history(store, review.study)][-2:] == [
        (420.0, False, "<b>A. Reader</b>"),
        (None, True, "B. Reader"),
    ]
    store.close()


@pytest.mark.usefixtures("unread")
def test_an_implausible_value_is_refused_and_one_that_cannot_be_measured_is_kept(
    page: Page, url: str, review: ReviewStore
) -> None:
    opened(page, url, review)
    form = correct(page, "QRS")
    form.get_by_label("Read by").fill("A")
    form.get_by_label("QRS (ms)").fill("900")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_text("Not saved: QRS must lie within 40 to 300 ms.")).to_be_visible()
    form.get_by_text("Not measurable").click()
    idle(page)
    form.get_by_role("button", name="Save").click()
    expect(value_of(page, "qrs_ms")).to_have_text("not measurable")
    expect(source_of(page, "qrs_ms")).to_contain_text("said so by A, 20")
    store = open_store(review.url)
    assert standing_readings(store, review.study)["qrs_ms"].value is None
    store.close()


@pytest.mark.usefixtures("unread")
def test_what_the_caliper_measured_is_taken_over(page: Page, url: str, review: ReviewStore) -> None:
    opened(page, url, review)
    drag_on_paper(page, 9)  # 2.9 px/mm, 25 mm/s: 124 ms
    expect(page.get_by_test_id("caliper-readout")).to_contain_text("124 ms")
    idle(page)
    form = correct(page, "QRS")
    form.get_by_role("button", name="Use the caliper's 124 ms").click()
    idle(page)
    form.get_by_label("Read by").fill("A")
    form.get_by_role("button", name="Save").click()
    expect(value_of(page, "qrs_ms")).to_have_text("124 ms")
    expect(page.locator('[data-panel="ecg"]')).to_contain_text("QRS 124 ms (wide)")  # the title follows


def test_the_caliper_of_one_ecg_is_not_offered_for_another(page: Page, url: str, review: ReviewStore) -> None:
    opened(page, url, review)
    drag_on_paper(page, 9)
    idle(page)
    opened(page, url, review, ecg=LONG)
    form = correct(page, "QRS")
    expect(form.get_by_text("Drag on the paper to take a caliper's value over.")).to_be_visible()


@pytest.mark.usefixtures("unread")
def test_two_ecgs_of_a_patient_stand_side_by_side_at_one_scale_with_their_differences(
    page: Page, url: str, review: ReviewStore
) -> None:
    store = open_store(review.url)
    add_reading(store, review.study, "qrs_ms", 98.0, "A")
    add_reading(store, LONG, "qrs_ms", 134.0, "A")
    store.close()
    opened(page, url, review, ecg=review.study, ecg2=LONG)
    papers = page.get_by_test_id("ecg-paper")
    expect(papers).to_have_count(2)
    expect(page.locator('[data-panel="ecg"]')).to_contain_text("QRS 98 → 134 ms")
    scales = [(one.get_attribute("data-px-per-second"), one.get_attribute("data-px-per-mv")) for one in papers.all()]
    assert scales == [("60", "24")] * 2
    left, right = (paper.bounding_box() for paper in papers.all())
    assert left and right and left["x"] + left["width"] <= right["x"] and abs(left["y"] - right["y"]) < 40
    headers = [page.locator(f'[data-panel="ecg-{study}"] h3').inner_text() for study in (review.study, LONG)]
    assert headers[0].startswith("Earlier: ") and headers[1].startswith("Later: ") and headers[0] != headers[1]
    assert identities(page) == {(str(review.stay), RUN)}
    studies = page.locator("[data-study]").evaluate_all("all => all.map(one => one.dataset.study)")
    assert studies == [str(review.study), str(LONG)]


def test_on_a_phone_two_ecgs_stand_one_below_the_other(url: str, review: ReviewStore) -> None:
    with chromium_page(390, 844) as phone:
        opened(phone, url, review, ecg=review.study, ecg2=LONG)
        expect(phone.get_by_test_id("ecg-paper")).to_have_count(2)
        upper, lower = (paper.bounding_box() for paper in phone.get_by_test_id("ecg-paper").all())
        assert upper and lower and lower["y"] > upper["y"] + upper["height"]
        assert phone.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def test_an_ecg_of_another_patient_is_never_put_beside_this_ones(page: Page, url: str, review: ReviewStore) -> None:
    for query in ({"ecg2": review.foreign}, {"ecg2": review.study}, {"ecg2": "7; drop"}):
        opened(page, url, review, **query)
        expect(page.get_by_test_id("ecg-paper")).to_have_count(1)
        assert identities(page) == {(str(review.stay), RUN)}


def test_the_comparison_is_chosen_from_this_patients_own_and_ends_with_the_patient(
    page: Page, url: str, review: ReviewStore
) -> None:
    opened(page, url, review)
    page.get_by_role("combobox", name="Compare with").click()
    offered = page.get_by_role("option")
    store = open_store(review.url)
    with store.reading() as conn:
        of_patient = select(ecg_record.c.subject_id).where(ecg_record.c.study_id == review.study).scalar_subquery()
        own = list(conn.execute(select(ecg_record.c.study_id).where(ecg_record.c.subject_id == of_patient)).scalars())
    store.close()
    expect(offered).to_have_count(len(own) - 1)
    offered.last.click()
    expect(page.get_by_test_id("ecg-paper")).to_have_count(2)
    assert f"ecg2={LONG}" in page.url
    page.locator(".st-key-case-next button").click()
    expect(page.locator(f'[data-panel="identity"][data-stay="{review.stay}"]')).to_have_count(0)
    idle(page)
    assert "ecg2=" not in page.url


def test_a_record_of_minutes_is_shown_in_windows_of_ten_seconds(page: Page, url: str, review: ReviewStore) -> None:
    opened(page, url, review, ecg=LONG)
    rhythm = page.locator('[data-rhythm="true"]')
    expect(rhythm).to_have_count(1)
    assert (rhythm.get_attribute("d") or "").count("L") == 4999
    seconds = page.locator("text.second")
    expect(seconds.first).to_have_text("85 s")  # the middle, which a model would read
    slider = page.get_by_role("slider", name=re.compile(f"{LONG_S} s recorded"))
    slider.press("ArrowRight")
    expect(seconds.first).to_have_text("86 s")
    expect(page.get_by_test_id("ecg-footer")).to_contain_text("from 86.0 s, 10.0 s at 500 Hz")


@pytest.mark.parametrize(("speed", "gain", "layout"), [(25, 10, "3x4+II"), (50, 20, "Cabrera")])
def test_a_printed_millimetre_is_a_millimetre_and_every_page_says_whose_it_is(
    page: Page, url: str, review: ReviewStore, speed: int, gain: int, layout: str
) -> None:
    opened(page, url, review, speed=f"{speed} mm/s", gain=f"{gain} mm/mV", layout=layout.replace("+", "%2B"))
    expect(page.get_by_role("button", name="Print 1:1")).to_be_visible()
    page.emulate_media(media="print")
    printed = page.get_by_test_id("ecg-printed")
    views = [[float(part) for part in (one.get_attribute("viewBox") or "").split()] for one in printed.all()]
    size = page.locator(".ecg-scroll svg").first.evaluate(
        "svg => svg.viewBox.baseVal.width * svg.viewBox.baseVal.height"
    )
    # Nothing of the sheet is lost, but for the empty paper after the last second where it goes over two pages.
    assert sum(width * height for _, _, width, height in views) == pytest.approx(
        size, rel=0.001 if speed == 25 else 0.02
    )
    assert len(views) == 1 if speed == 25 else len(views) > 2
    scale = printed.first.evaluate("svg => { const m = svg.getScreenCTM(); return [m.a, m.d]; }")
    paper = page.get_by_test_id("ecg-paper")
    px_per_s, px_per_mv = (float(paper.get_attribute(f"data-px-per-{unit}") or "nan") for unit in ("second", "mv"))
    assert px_per_s * scale[0] == pytest.approx(speed * CSS_PX_PER_MM, rel=0.001)
    assert px_per_mv * scale[1] == pytest.approx(gain * CSS_PX_PER_MM, rel=0.001)
    for sheet in printed.all():
        box = sheet.bounding_box()
        assert box and box["width"] <= 277 * CSS_PX_PER_MM + 0.5
    bar = page.locator(".ecg-print .check").first.bounding_box()
    assert bar and bar["width"] == pytest.approx(100 * CSS_PX_PER_MM, rel=0.001)
    for section in page.locator(".ecg-print .page").all():
        words = section.inner_text()
        assert all(told in words for told in (f"Stay {review.stay}", f"ECG {review.study}", f"run {RUN}"))
        assert "Synthetic data: no real patient" in words and "Research use only" in words
        assert f"{speed} mm/s  {gain} mm/mV" in words and "automated, unconfirmed" in words
    assert identities(page) == {(str(review.stay), RUN)}
    for hidden in ('[data-panel="risk"]', '[data-panel="identity"]', ".st-key-case-trends"):
        expect(page.locator(hidden).first).to_be_hidden()
    document = page.pdf(prefer_css_page_size=True)
    boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", document)
    assert len(boxes) == len(views)  # points; A4 landscape
    assert all((float(w), float(h)) == pytest.approx((841.9, 595.3), abs=0.7) for w, h in boxes)
