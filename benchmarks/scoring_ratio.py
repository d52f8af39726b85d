"""Scoring stays with the shipped run: with explanations against without them, and what memory each takes.

One process, one thread, batches of 32; `lemof score` starts as many processes as there are cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from encoder_training_ratio import memory_kb
from side_by_side import ratio, report

from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from lemof_core.batch import ScaledCohort
from lemof_core.checkpoint import load_model
from lemof_core.explain.scored import score_samples
from lemof_core.fusion.lemof import SCORING_BATCH, LemofModel
from lemof_core.jobs.bridge import load_cohort
from lemof_core.jobs.ingest import ingest

SHIPPED = Path(__file__).parents[1] / "assets" / "runs" / "demo"
N_STAYS, REPEATS = 80, 5


def prepared(url: str) -> tuple[LemofModel, ScaledCohort, np.ndarray]:
    """Return the shipped model, a store's cohort as it reads it, and a batch of rows with an ECG."""
    torch.set_num_threads(1)
    store = open_store(url)
    arrays = load_cohort(store).arrays
    store.close()
    model = load_model(SHIPPED)
    rows = np.flatnonzero(arrays.ecg_present)[:SCORING_BATCH]
    return model, model.scaler.transform(arrays), rows


def tell_peak(url: str, *, explain: bool) -> None:
    """Print how far above what it holds this process's memory rises for one batch (MB); Linux alone can say."""
    model, cohort, rows = prepared(url)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of reading the cohort is not of interest
    before = memory_kb("VmRSS")
    score_samples(model, cohort, rows, explain=explain)
    print((memory_kb("VmHWM") - before) / 1024)


def peak_mb(url: str, *, explain: bool) -> int:
    """Return what `tell_peak` says in a process of its own."""
    arguments = [sys.executable, __file__, "--peak", url, "explain" if explain else "predict"]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return round(float(told.stdout.splitlines()[-1]))


def main() -> None:
    """Measure and report."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/cohort.db"
        write_cohort(Path(folder) / "raw", n_stays=N_STAYS, seed=0)
        with_rows = open_store(url, create=True)
        ingest(with_rows, Path(folder) / "raw", Path(folder) / "raw" / "ecg")
        with_rows.close()
        model, cohort, rows = prepared(url)
        found = ratio(
            lambda: score_samples(model, cohort, rows, explain=True),
            lambda: score_samples(model, cohort, rows, explain=False),
            repeats=REPEATS,
        )
        speeds = {
            "stays": len(rows),
            "stays_per_s_explained": round(len(rows) / found["ours_s"], 1),
            "stays_per_s_predicted": round(len(rows) / found["theirs_s"], 1),
            "peak_mb_explained": peak_mb(url, explain=True),
            "peak_mb_predicted": peak_mb(url, explain=False),
        }
    report("scoring_ratio", {"explained_over_predicted": found["ratio"], "repeats": found["repeats"], **speeds})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        tell_peak(sys.argv[2], explain=sys.argv[3] == "explain")
    else:
        main()
