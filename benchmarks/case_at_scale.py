"""The case page on 100,000 stays: a switch against a trivial rerun, bytes, memory of a page, many readers at once.

`--home DIR` holds the store, which is filled by `bulk_store` first. The readers are websocket sessions with think time;
a scoring job on another store runs beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from bulk_store import N_STAYS, bulk_store
from case_readers import Seen, read_cases
from patient_switch_ratio import switches_beside_reruns
from side_by_side import RESULTS, machine, report

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from browser_support import streamlit_server  # noqa: E402

from cohort_db import read, read_results  # noqa: E402
from cohort_db.store import open_store  # noqa: E402
from lemof_core.jobs.demo import DEMO_RUN  # noqa: E402
from lemof_core.jobs.ingest import ingest  # noqa: E402
from lemof_core.jobs.shipped import import_shipped  # noqa: E402
from lemof_core.run_folder import SHIPPED_FOLDER  # noqa: E402

NAME = "case_at_scale"
N_SWITCHES = 20
N_READERS, N_CASES, THINK_S = 20, 4, 20.0
N_OPEN = 20  # pages held open for the memory of one
N_WARM = 40
LISTS = {"whole cohort": "", "filtered and sorted": "sex=F&age=40_80&sort=error"}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--stays", type=int, default=N_STAYS)
    parser.add_argument(
        "--part", action="append", choices=sorted(PARTS), help="this alone; the others stay as measured"
    )
    arguments = parser.parse_args()
    store = bulk_store(arguments.home, arguments.stays)
    n_stays = len(read.stays(store, columns=["stay_id"]))
    samples = read.samples(store)
    run_id = read_results.newest_run(store)
    store.close()
    # Copies with their whole course: what a page of a real stay weighs. See bulk_store.
    whole = samples.loc[samples["stay_id"] // 1000 % 50 == 1, "stay_id"].to_numpy()
    found = known() | {"stays": n_stays, "n_samples": len(samples)}
    with streamlit_server(ROOT / "streamlit_app.py", env={**os.environ, "LEMOF_HOME": str(arguments.home)}) as url:
        for part in arguments.part or PARTS:
            found[part] = PARTS[part](url, arguments.home, whole, run_id) | {"machine": machine()}
            print(part, found[part], file=sys.stderr)
    report(NAME, found)


def known() -> dict[str, Any]:
    """Return what earlier calls measured of the other parts."""
    path = RESULTS / f"{NAME}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def switches(url: str, home: Path, whole: np.ndarray, run_id: str) -> dict[str, Any]:
    """Switches through each of LISTS."""
    return {name: one_list(url, whole, run_id, text) for name, text in LISTS.items()}


def one_list(url: str, whole: np.ndarray, run_id: str, text: str) -> dict[str, Any]:
    """Seconds and bytes of a switch in Chromium, and its ratio to the trivial rerun of the same page."""
    times, found = switches_beside_reruns(
        f"{url}/case?stay={whole[10]}&run={run_id}&list={quote(text, safe='')}", N_SWITCHES
    )
    return spread(times) | found


def memory(url: str, home: Path, whole: np.ndarray, run_id: str) -> dict[str, Any]:
    """MB of the server per page held open, after the caches are full of other readers' cases."""

    pid, query, sizes = server_pid(url), {"run": run_id}, []
    # More cases than the caches hold, so that what grows afterwards is the pages' own.
    asyncio.run(read_cases(url, [whole[i::2][:N_WARM].tolist() for i in range(2)], query, pause_s=0.0))
    sizes.append(resident_mb(pid))
    lists = [whole[i::N_OPEN][40:43].tolist() for i in range(N_OPEN)]
    seen = asyncio.run(read_cases(url, lists, query, pause_s=0.5, held=lambda: sizes.append(resident_mb(pid))))
    before, after = sizes
    return {
        "server_mb": round(before),
        "with_pages_mb": round(after),
        "pages": N_OPEN,
        "cases_each": len(lists[0]),
        "mb_per_page": round((after - before) / N_OPEN, 1),
        "wrong_patients": seen.wrong,
    }


def readers(url: str, home: Path, whole: np.ndarray, run_id: str) -> dict[str, Any]:
    """Seconds of a switch where twenty readers each go through their own stays, with pauses to think."""
    lists = [whole[i::N_READERS][: N_CASES + 1].tolist() for i in range(N_READERS)]
    pid, one = server_pid(url), lists[0][:N_CASES]
    alone: Seen = asyncio.run(read_cases(url, [one], {"run": run_id}, pause_s=1.0))
    before = cpu_s(pid)
    seen: Seen = asyncio.run(read_cases(url, lists, {"run": run_id}, pause_s=THINK_S))
    return {
        **spread(seen.seconds),
        "one_reader_alone_median_s": spread(alone.seconds)["median_s"],
        "server_cpu_s_per_case": round((cpu_s(pid) - before) / (len(seen.seconds) + len(lists)), 3),
        "bytes_largest": max(seen.n_bytes),
        "readers": N_READERS,
        "think_s": THINK_S,
        "wrong_patients": seen.wrong,
    }


def spread(seconds: list[float]) -> dict[str, float]:
    """Median and 95 % quantile."""
    return {"median_s": round(statistics.median(seconds), 3), "p95_s": round(float(np.quantile(seconds, 0.95)), 3)}


def readers_beside_a_job(url: str, home: Path, whole: np.ndarray, run_id: str) -> dict[str, Any]:
    """The same, while a scoring job computes."""
    with scoring(home):
        return readers(url, home, whole[::-1], run_id)


@contextmanager
def scoring(home: Path) -> Iterator[None]:
    """`lemof score` with explanations runs, over and over, on copies of a store of its own of the demo's raw folder."""
    with tempfile.TemporaryDirectory() as scratch:
        unscored, over = Path(scratch) / "unscored", threading.Event()
        unscored.mkdir()
        store = open_store(f"sqlite:///{unscored / 'cohort.db'}", create=True)
        ingest(store, home / "demo", home / "demo" / "ecg")
        import_shipped(store, SHIPPED_FOLDER / DEMO_RUN)
        store.close()
        worker = threading.Thread(target=_score_copies, args=(unscored, over))
        worker.start()
        try:
            yield
        finally:
            over.set()
            worker.join()


def _score_copies(unscored: Path, over: threading.Event) -> None:
    for number in itertools.count():
        own = unscored.parent / str(number)
        shutil.copytree(unscored, own)
        env = {**os.environ, "LEMOF_HOME": str(own), "PYTHONPATH": str(ROOT)}
        job = subprocess.Popen([sys.executable, "-m", "lemof_core", "score"], env=env, stdout=subprocess.DEVNULL)
        while job.poll() is None:
            if over.wait(0.2):
                job.kill()
                job.wait()
                return


PARTS: dict[str, Callable[[str, Path, np.ndarray, str], dict[str, Any]]] = {
    "switch": switches,
    "memory": memory,
    "readers": readers,
    "readers_beside_a_scoring_job": readers_beside_a_job,
}


def server_pid(url: str) -> int:
    """The process that serves the port of the URL."""
    port = url.rsplit(":", 1)[1].split("/")[0]
    for entry in Path("/proc").iterdir():
        command = entry / "cmdline"
        if entry.name.isdigit() and command.exists() and f"--server.port\0{port}\0".encode() in command.read_bytes():
            return int(entry.name)
    raise RuntimeError(f"no process serves port {port}")


def cpu_s(pid: int) -> float:
    """Seconds that the process computed so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of the process."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


if __name__ == "__main__":
    main()
