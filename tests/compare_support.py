"""The made-up store of the pages comes in; the same with more runs to compare goes out.

Run `OTHER` is scored on most samples of `RUN`, some of them in another split; `ELSEWHERE` predicts another cut,
`UNSCORED` has predicted nobody, and `IN_SAMPLE` was fitted with everybody.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages_support import RUN, PagesStores, add_pages_run, fitted_parts, score_all
from scipy.special import expit

from cohort_db import read, read_analysis
from cohort_db.results import add_scored
from cohort_db.store import Store, open_store

OTHER, ELSEWHERE, UNSCORED, IN_SAMPLE = "run-other", "run-elsewhere", "run-unscored", "run-in-sample"
OTHER_THRESHOLD = 0.55
PORTS = ("ecg_3", "ehr_3")


@dataclass(frozen=True)
class CompareStore:
    """A folder to be used as LEMOF_HOME; moved: samples in test of RUN and train of OTHER; unscored: not in OTHER."""

    home: Path
    moved: tuple[str, ...]
    unscored: tuple[str, ...]

    def store(self) -> Store:
        """The open store."""
        return open_store(f"sqlite:///{self.home / 'cohort.db'}")

    def both(self, split: str = "test") -> pd.DataFrame:
        """What both runs say of the samples that they share in a split: sample_id, stay_id, label, p_a, p_b, path_a."""
        with self.store().reading() as conn:
            rows = conn.exec_driver_sql(
                "select a.sample_id, s.stay_id, s.label, s.died_before_cut, a.p as p_a, b.p as p_b, a.path as path_a "
                "from prediction a join prediction b using (sample_id) join sample s using (sample_id) "
                "where a.run_id = ? and b.run_id = ? and a.split = ? and b.split = ? and s.label is not null",
                (RUN, OTHER, split, split),
            )
            return pd.DataFrame(rows.mappings().all())


@pytest.fixture(scope="session")
def compare_store(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> CompareStore:
    """The store, made once; tests change nothing in it."""
    home = tmp_path_factory.mktemp("compare") / "home"
    shutil.copytree(pages_stores.home["full"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    tested = read_analysis.analysed(store, RUN)["sample_id"].tolist()
    moved, unscored = tuple(tested[:2]), tuple(tested[2:3])
    add_pages_run(store, UNSCORED, created_at=datetime(2026, 11, 23, 8, 0))
    add_pages_run(store, ELSEWHERE, created_at=datetime(2026, 11, 19, 8, 0), cut_hours=96.0)
    add_pages_run(store, IN_SAMPLE, created_at=datetime(2026, 11, 18, 8, 0))
    score_all(store, IN_SAMPLE, split="train")
    parts = fitted_parts()
    parts["calibrations"] = [row | {"threshold": OTHER_THRESHOLD} for row in parts["calibrations"]]
    add_pages_run(
        store, OTHER, parts=parts, fusion="late", fitting="oof5", seed=3, created_at=datetime(2026, 11, 21, 9, 30)
    )
    _score_other(store, moved, unscored)
    store.close()
    return CompareStore(home, moved, unscored)


def _score_other(store: Store, moved: tuple[str, ...], unscored: tuple[str, ...]) -> None:
    samples = read.samples(store)
    samples = samples[~samples["sample_id"].isin(unscored)].reset_index(drop=True)
    rng = np.random.default_rng(17)
    logit = 2.0 * (samples["label"].fillna(0).to_numpy(float) - 0.5) + rng.normal(0, 0.8, len(samples))
    predictions = pd.DataFrame(
        {
            "sample_id": samples["sample_id"],
            "split": samples["split"].where(~samples["sample_id"].isin(moved), "train"),
            "path": "both",
            "logit": logit,
            "p": expit(logit),
            "p_lo": expit(logit - 0.4),
            "p_hi": expit(logit + 0.4),
            "logit_raw": logit,
        }
    )
    branches = [
        (sample_id, port, value, 0.3 * value, 0.05 * value)
        for sample_id, value in zip(samples["sample_id"], logit.tolist(), strict=True)
        for port in PORTS
    ]
    levels = [(sample_id, port.split("_")[0], 3, value, phi, phi_p) for sample_id, port, value, phi, phi_p in branches]
    add_scored(
        store,
        OTHER,
        predictions=predictions,
        level_scores=pd.DataFrame(levels, columns=["sample_id", "modality", "level", "logit", "phi_logit", "phi_prob"]),
        branch_values=pd.DataFrame(branches, columns=["sample_id", "port", "logit", "phi_logit", "phi_prob"]),
        input_effects=pd.DataFrame(),
        arrays={},
    )
