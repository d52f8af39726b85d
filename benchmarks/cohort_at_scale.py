"""The cohort page on many stays: a filter against the app's trivial rerun, bytes, memory over the empty app.

`--home DIR` holds a store that `bulk_store` filled (`--stays 1000000 --narrow` for a million). The page is driven in
Chromium through drawn filters; beside each change of a filter a button of an app that does nothing is clicked.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from case_at_scale import resident_mb, server_pid, spread
from side_by_side import machine, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import chromium_browser, idle, streamlit_server  # noqa: E402
from playwright.sync_api import Page, WebSocket  # noqa: E402

from cohort_db import read_results  # noqa: E402
from cohort_db.browse import Browser, totals  # noqa: E402
from cohort_db.stay_filters import Filters  # noqa: E402
from cohort_db.store import open_store  # noqa: E402
from cohort_db.tally import tally  # noqa: E402

N_FILTERS = 20
EMPTY = "import streamlit as st\nst.button('again')\nst.html(f'<i data-n={st.session_state.setdefault(0, 0)}></i>')\n"
# Clicked one after the other, each on top of those before; the names are those of the pills.
PILLS = ("Women", "Men", "Black", "White", "Clean", "No ECG", "Missed", "False alarm", "Still in ICU after 72 h")


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    arguments = parser.parse_args()
    store = open_store(f"sqlite:///{arguments.home / 'cohort.db'}")
    n_stays = sum(totals(store))
    found: dict[str, Any] = {"stays": n_stays, "questions": questions(store)}
    store.close()
    found |= in_the_browser(arguments.home)
    name = f"cohort_at_scale_{n_stays}"
    print(found, file=sys.stderr)
    report(name, found)


def questions(store: Any) -> dict[str, Any]:
    """Seconds of all that the page asks of the database for a filter, over drawn filters: one after the other."""
    browser = Browser(store, read_results.newest_run(store))
    rng = np.random.default_rng(0)
    seconds = []
    for filters in (drawn(rng) for _ in range(N_FILTERS)):
        start = time.perf_counter()
        tally(browser, filters, scored=True)
        browser.page(filters, str(rng.choice(["id", "p_high", "error", "old"])))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    tally(browser, Filters(where=("in",)), scored=True)
    return spread(seconds) | {"without_a_filter_s": round(time.perf_counter() - start, 4)}


def drawn(rng: np.random.Generator) -> Filters:
    """A filter that a reader might set."""
    asked: dict[str, Any] = {"where": ("in",), "sex": (str(rng.choice(["F", "M"])),)}
    if rng.random() < 0.5:
        low = int(rng.integers(20, 60))
        asked["age"] = (low, low + 25)
    if rng.random() < 0.5:
        asked["p"] = (0.2, float(rng.choice([0.5, 0.8])))
    if rng.random() < 0.5:
        asked["disease"] = (str(rng.choice(["sepsis", "heart failure"])),)
    return Filters(**asked)


def in_the_browser(home: Path) -> dict[str, Any]:
    """Seconds from a click on a facet to the page at rest, beside a rerun of an empty app; bytes; memory."""
    empty = home / "empty_app.py"
    empty.write_text(EMPTY, encoding="utf-8")
    with (
        chromium_browser() as browser,
        streamlit_server(ROOT / "streamlit_app.py", env={**os.environ, "LEMOF_HOME": str(home)}) as url,
        streamlit_server(empty) as beside,
    ):
        one, other = browser.new_page(), browser.new_page()
        one.set_viewport_size({"width": 1440, "height": 900})
        sizes: list[int] = []
        one.on("websocket", lambda socket: note(socket, sizes))
        other.goto(beside)
        idle(other)
        start = time.perf_counter()
        one.goto(f"{url}/cohort?{urlencode({'where': 'In the cohort'})}")
        idle(one)
        first_s, first_bytes = time.perf_counter() - start, sum(sizes)
        times, reruns, largest = [], [], 0
        for number in range(N_FILTERS):
            sizes.clear()
            times.append(clicked(one, PILLS[number % len(PILLS)]))
            largest = max(largest, sum(sizes))
            reruns.append(clicked(other, "again"))
        held = resident_mb(server_pid(url))
    ratio = statistics.median(a / b for a, b in zip(times, reruns, strict=True))
    return {
        "first_page_s": round(first_s, 2),
        "first_page_bytes": first_bytes,
        "filter": spread(times) | {"bytes_largest": largest},
        "rerun_of_an_empty_app": spread(reruns),
        "ratio": round(ratio, 2),
        "server_mb": round(held),
        "server_mb_over_the_empty_app": round(held - empty_app_mb("cohort")),
        "machine": machine(),
    }


def empty_app_mb(*pages: str) -> float:
    """Memory of the same app on a store without a stay, once these pages were opened."""
    with tempfile.TemporaryDirectory() as home, chromium_browser() as browser:
        open_store(f"sqlite:///{home}/cohort.db", create=True).close()
        with streamlit_server(ROOT / "streamlit_app.py", env={**os.environ, "LEMOF_HOME": home}) as url:
            page = browser.new_page()
            for name in pages:
                page.goto(f"{url}/{name}")
                idle(page)
            return resident_mb(server_pid(url))


def note(socket: WebSocket, sizes: list[int]) -> None:
    socket.on("framereceived", lambda frame: sizes.append(len(frame)))


def clicked(page: Page, text: str) -> float:
    """Seconds from the click until the script has ended and nothing on the page changes any more, less the quarter of a
    second that `idle` waits to be sure."""
    button = page.get_by_role("radio", name=text, exact=True).or_(page.get_by_role("button", name=text, exact=True))
    button.first.scroll_into_view_if_needed()
    start = time.perf_counter()
    button.first.click()
    idle(page)
    return time.perf_counter() - start - 0.25


if __name__ == "__main__":
    main()
