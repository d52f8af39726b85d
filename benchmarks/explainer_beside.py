"""Our pages beside explainerdashboard on the predictions of 10,000 stays: time to the first plot, to the next patient.

`--home DIR` holds a store of about 10,000 stays (`bulk_store --stays 10750`), `--python PATH` the interpreter of a
virtual environment with explainerdashboard (`pip install explainerdashboard`), which is no dependency of ours. Both run
on this machine, one after the other; a switch holds a quarter of a second in which the page must be at rest.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from patient_switch_ratio import first_stay, switch
from side_by_side import machine, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import chromium_page, idle, streamlit_server  # noqa: E402
from playwright.sync_api import Page  # noqa: E402

from cohort_db import read_analysis, read_results  # noqa: E402
from cohort_db.store import open_store  # noqa: E402

N_STAYS, N_SWITCHES = 10_000, 12
PLOT = ".js-plotly-plot .main-svg"
# At rest: no callback under way, and nothing in the page has changed for a quarter of a second.
SETTLED = """() => {
    window.lemofChanged ??= performance.now();
    if (!window.lemofWatch) {
        window.lemofWatch = new MutationObserver(() => { window.lemofChanged = performance.now(); });
        window.lemofWatch.observe(document.body, {subtree: true, childList: true, attributes: true});
    }
    return document.title !== "Updating..." && performance.now() - window.lemofChanged > 250;
}"""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    arguments = parser.parse_args()
    env = {**os.environ, "LEMOF_HOME": str(arguments.home)}
    ours, theirs = measure_ours(env), measure_theirs(arguments.home, arguments.python)
    ratios = {f"{name}_ratio": round(theirs[name] / ours[name], 2) for name in ("first_plot_s", "switch_s")}
    report("explainer_beside", {"ours": ours, "explainerdashboard": theirs, **ratios, "machine": machine()})


def measure_ours(env: dict[str, str]) -> dict[str, Any]:
    """Seconds from the start of the server to the first plot of /performance, and of a step to the next case."""
    start = time.perf_counter()
    with streamlit_server(ROOT / "streamlit_app.py", env=env) as url, chromium_page(1440, 900, "light") as page:
        page.goto(f"{url}/performance")
        page.locator(PLOT).first.wait_for(timeout=300_000)
        first = time.perf_counter() - start
        page.goto(f"{url}/case?stay={first_stay(env)}")
        idle(page, 120)
        switch(page)  # the first one fills caches that every later one finds full
        times = [switch(page) for _ in range(N_SWITCHES)]
    return {"first_plot_s": round(first, 2), "switch_s": round(statistics.median(times), 3)}


def measure_theirs(home: Path, python: Path) -> dict[str, Any]:
    """The same of explainerdashboard: its first tab, and a random stay on its tab of individual predictions."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "predictions.csv"
        n = write_predictions(home, file)
        start = time.perf_counter()
        with explainer_app(python, file) as url, chromium_page(1440, 900, "light") as page:
            page.goto(url)
            page.locator(PLOT).first.wait_for(timeout=300_000)
            first = time.perf_counter() - start
            page.locator(".tab, [role=tab]").filter(has_text="Individual Predictions").first.click()
            page.wait_for_timeout(2000)
            settle(page)
            times = [next_one(page) for _ in range(N_SWITCHES + 1)][1:]
    return {"first_plot_s": round(first, 2), "switch_s": round(statistics.median(times), 3), "stays": n}


def write_predictions(home: Path, file: Path) -> int:
    """Write inner predictions, age and outcome of 10,000 stays as CSV; return how many there were."""
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    frame = read_analysis.analysed(store, read_results.newest_run(store)).head(N_STAYS)
    store.close()
    kept = ["stay_id", *read_analysis.PORTS, "age_years", "label"]
    frame[kept].fillna(0.0).to_csv(file, index=False)
    return len(frame)


@contextmanager
def explainer_app(python: Path, file: Path) -> Iterator[str]:
    """explainerdashboard answers on a free port; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("explainer_app.py")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen([python, script, file, str(port)], env=env, stdout=sys.stderr)
    try:
        while True:
            if process.poll() is not None:
                raise RuntimeError(f"explainerdashboard ended with exit status {process.returncode}")
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def settle(page: Page) -> None:
    """The page is at rest."""
    page.wait_for_function(SETTLED, timeout=120_000, polling=50)


def next_one(page: Page) -> float:
    """Seconds from asking for another stay until the page is at rest."""
    start = time.perf_counter()
    page.get_by_role("button", name="Random Stay_id").first.click()
    page.wait_for_timeout(30)
    settle(page)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
