"""Trained encoders on cohorts with the ECG signal planted in one level: planted against chosen, without a pass mark.

A deep level can compute what a low one sees, so the diagonal is not promised. `--stays` fits each of the three cohorts.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from side_by_side import report

from cohort_db import read_results
from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from lemof_core.config import preset
from lemof_core.jobs.ingest import ingest
from lemof_core.jobs.train import train


def one(planted: str, stays: int, seed: int, folder: Path) -> dict[str, Any]:
    """Return what was chosen for a cohort with the signal planted in the given level."""
    write_cohort(folder / "raw", n_stays=stays, seed=seed, planted=planted)
    store = open_store(f"sqlite:///{folder / 'cohort.db'}", create=True)
    ingest(store, folder / "raw", folder / "raw" / "ecg")
    run_id = train(store, preset("robust", fitting="holdout", seed=seed))["run_id"]
    levels = read_results.level_choices(store, run_id)
    ecg = levels[levels["modality"] == "ecg"].set_index("level")
    store.close()
    return {
        "planted": planted,
        "k_star": int(ecg.index[ecg["is_k_star"]][0]),
        "frequency": {str(k): float(v) for k, v in ecg["frequency"].items()},
        "auroc": {str(k): round(float(v), 4) for k, v in ecg["auroc"].items()},
        "cross_level": int(ecg.index[ecg["is_cross_level"]][0]),
    }


def main() -> None:
    """Fit on the three plantings and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stays", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rows = []
    for planted in ("low", "mid", "high"):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(one(planted, arguments.stays, arguments.seed, Path(folder)))
    report("planted_levels", {"stays": arguments.stays, "seed": arguments.seed, "rows": rows})


if __name__ == "__main__":
    main()
