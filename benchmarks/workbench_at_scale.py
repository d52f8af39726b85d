"""The researcher's pages on many stays: first opening, opening again, a change of a control; bytes; memory.

`--home DIR` holds a store that `bulk_store` filled. Each page is opened in Chromium by itself, in one server: what an
earlier page has read is there for a later one, as it is for a reader. Beside each change of a control a button of an
app that does nothing is clicked. No page may send the browser as much as a byte per stay and column.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from case_at_scale import resident_mb, server_pid, spread
from cohort_at_scale import EMPTY, clicked, empty_app_mb, note
from side_by_side import machine, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import chromium_browser, idle, streamlit_server  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

from cohort_db import read_results  # noqa: E402
from cohort_db.store import open_store  # noqa: E402

# Page -> the text of a control, and of the one that takes it back.
PAGES: dict[str, tuple[str, str] | None] = {
    "performance": ("Race", "Sex"),
    "errors": ("False alarms", "Log loss"),
    "levels": None,
    "model-card": None,
}
REPEATS = 3
MOST_BYTES = 3_000_000


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    home = parser.parse_args().home
    os.environ["MALLOC_ARENA_MAX"] = "2"  # as `make run` sets it
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    run_id = read_results.newest_run(store)
    n = read_results.n_predictions(store, run_id) if run_id else 0
    store.close()
    found = {"predictions": n} | measured(home)
    print(found, file=sys.stderr)
    report("workbench_at_scale", found)
    too_much = {name: one["bytes"] for name, one in found["pages"].items() if one["bytes"] > MOST_BYTES}
    if too_much:
        raise SystemExit(f"more than {MOST_BYTES:,} bytes: {too_much}")


def measured(home: Path) -> dict[str, Any]:
    """Seconds and bytes by page, and the server's memory over that of the app on an empty store."""
    empty = home / "empty_app.py"
    empty.write_text(EMPTY, encoding="utf-8")
    pages = {}
    with (
        chromium_browser() as browser,
        streamlit_server(ROOT / "streamlit_app.py", env={**os.environ, "LEMOF_HOME": str(home)}) as url,
        streamlit_server(empty) as beside,
    ):
        other = browser.new_page()
        other.goto(beside)
        idle(other)
        for name, control in PAGES.items():
            sizes: list[int] = []
            first_s = _opened(browser.new_page(), f"{url}/{name}", sizes)
            page = browser.new_page()
            one: dict[str, Any] = {
                "first_s": round(first_s, 2),
                "bytes": sum(sizes),
                "again_s": round(_opened(page, f"{url}/{name}", []), 2),
            }
            if control:
                one |= _changes(page, other, control)
            one["server_mb"] = round(resident_mb(server_pid(url)))
            pages[name] = one
            print(name, one, file=sys.stderr)
        held = resident_mb(server_pid(url))
    return {"pages": pages, "server_mb_over_the_empty_app": round(held - empty_app_mb(*PAGES)), "machine": machine()}


def _opened(page: Page, url: str, sizes: list[int]) -> float:
    """Seconds until the page is at rest."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.on("websocket", lambda socket: note(socket, sizes))
    start = time.perf_counter()
    page.goto(url)
    page.get_by_test_id("provenance").wait_for(timeout=60_000)
    idle(page)
    return time.perf_counter() - start


def _changes(page: Page, other: Page, control: tuple[str, str]) -> dict[str, Any]:
    """Seconds from a click on a control to the page at rest, what was not asked before and what was; and the ratio."""
    first = clicked(page, control[0])
    times, reruns = [], []
    for number in range(2 * REPEATS):
        times.append(clicked(page, control[(number + 1) % 2]))
        reruns.append(clicked(other, "again"))
    ratio = statistics.median(a / b for a, b in zip(times, reruns, strict=True))
    return {"new_choice_s": round(first, 2), "choice_again": spread(times), "ratio": round(ratio, 1)}


if __name__ == "__main__":
    main()
