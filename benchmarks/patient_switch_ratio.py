"""Next patient on /case in Chromium, against the app's own trivial rerun in the same page; bytes on the websocket."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from side_by_side import report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import chromium_page, idle, streamlit_server  # noqa: E402

N_SWITCHES = 12


def main() -> None:
    """Measure on the demo store and report."""
    from cohort_db.store import open_store
    from lemof_core.jobs.demo import demo

    home = os.environ.get("LEMOF_HOME")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(home or scratch)
        store = open_store(f"sqlite:///{folder / 'cohort.db'}", create=True)
        demo(store)
        store.close()
        report("patient_switch_ratio", measure({**os.environ, "LEMOF_HOME": str(folder)}))


def measure(env: dict[str, str]) -> dict[str, Any]:
    """Return medians of switch and trivial rerun, their ratio, and bytes a switch."""
    with streamlit_server(ROOT / "streamlit_app.py", env=env) as url:
        times, found = switches_beside_reruns(f"{url}/case?stay={first_stay(env)}", N_SWITCHES)
    return {"switch_s": round(statistics.median(times), 3)} | found


def switches_beside_reruns(case_url: str, n: int) -> tuple[list[float], dict[str, Any]]:
    """Return the seconds (n,) of switches from this case on, and their ratio to reruns in between, and their bytes."""
    received: list[int] = []
    times, trivial, sizes = [], [], []
    with chromium_page(1440, 900, "light") as page:
        page.on("websocket", lambda ws: ws.on("framereceived", lambda data: received.append(len(data))))
        page.goto(case_url)
        idle(page, 120)
        page.wait_for_timeout(1500)
        switch(page)  # the first one fills caches that every later one finds full
        for _ in range(n):
            received.clear()
            times.append(switch(page))
            sizes.append(sum(received))
            trivial.append(rerun(page))
    return times, {
        "trivial_rerun_s": round(statistics.median(trivial), 3),
        "ratio": round(statistics.median(a / b for a, b in zip(times, trivial, strict=True)), 2),
        "bytes_median": int(statistics.median(sizes)),
        "bytes_largest": max(sizes),
        "switches": n,
    }


def first_stay(env: dict[str, str]) -> int:
    """Return the first stay with an ECG."""
    from cohort_db import read
    from cohort_db.store import open_store

    store = open_store(f"sqlite:///{Path(env['LEMOF_HOME']) / 'cohort.db'}")
    samples = read.samples(store)
    store.close()
    return int(samples.loc[samples["study_id"].notna(), "stay_id"].iloc[0])


def switch(page: Any) -> float:
    """Return seconds from asking for the next patient until every panel shows that patient and the page is idle."""
    before = page.locator("[data-testid=ecg-paper]").first.get_attribute("data-stay") if has_paper(page) else None
    start = time.perf_counter()
    page.keyboard.press("k")
    page.wait_for_function(
        "old => { const q = new URL(location.href).searchParams.get('stay');"
        " const all = [...document.querySelectorAll('[data-stay]')].map(e => e.dataset.stay);"
        " return q !== old && all.length > 0 && all.every(s => s === q) }",
        arg=before,
    )
    idle(page)
    return time.perf_counter() - start


def has_paper(page: Any) -> bool:
    """Return whether the page shows an ECG paper."""
    return bool(page.locator("[data-testid=ecg-paper]").count())


def rerun(page: Any) -> float:
    """Return seconds of a rerun that changes nothing."""
    start = time.perf_counter()
    page.keyboard.press("r")
    page.wait_for_timeout(30)
    idle(page)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
