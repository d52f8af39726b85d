"""Papers of made-up square waves in a small app in; a browser page with them drawn, and helpers to read it, out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from browser_support import chromium_browser, chromium_page, idle, streamlit_server
from playwright.sync_api import Locator, Page, expect

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


@contextmanager
def paper_app(folder: Path) -> Iterator[str]:
    """The app runs, written into the folder; yields its URL."""
    app = folder / "app.py"
    app.write_text(APP, encoding="utf-8")
    with streamlit_server(app) as served, chromium_browser():
        yield served


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
