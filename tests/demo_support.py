"""A small synthetic cohort on the whole road: written, ingested, fitted in a minute, scored and evaluated."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from lemof_core.config import RunConfig, preset
from lemof_core.jobs.evaluate import evaluate
from lemof_core.jobs.ingest import ingest
from lemof_core.jobs.score import score
from lemof_core.jobs.train import train

N_STAYS = 120


def quick_config(name: str = "robust", **changes: Any) -> RunConfig:
    """Return a preset small enough for a test; two folds, a few epochs."""
    config = preset(name)
    return replace(
        config,
        n_folds=2,
        ecg_training=replace(
            config.ecg_training, max_epochs=2, pretrain_epochs=min(1, config.ecg_training.pretrain_epochs)
        ),
        ehr_training=replace(config.ehr_training, max_epochs=3),
        cross=replace(config.cross, max_epochs=1, d=16),
        decision=replace(config.decision, n_bootstrap=10, n_background=32, n_input_background=4),
        **changes,
    )


def make_demo(home: Path) -> None:
    """Leave a store below `home` with a scored and evaluated run, and a file `ready` once it is whole."""
    os.environ["LEMOF_HOME"] = str(home)
    folder = home / "raw"
    write_cohort(folder, n_stays=N_STAYS, seed=11, ecg_missing=0.15)
    store = open_store(f"sqlite:///{home / 'cohort.db'}", create=True)
    ingest(store, folder, folder / "ecg")
    train(store, quick_config())
    score(store)
    evaluate(store)
    store.close()
    (home / "ready").touch()


if __name__ == "__main__":
    make_demo(Path(sys.argv[1]))
