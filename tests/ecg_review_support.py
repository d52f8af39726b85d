"""A store like the case store, with a patient whose ECGs a reader has work with: two more, of noise and of minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from case_support import N_STAYS, add_made_up_run

from cohort_db import read
from cohort_db.ecg_wfdb import read_signal
from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from cohort_db.synthetic.ecg_dipole import SIG_NAMES
from cohort_db.synthetic.write_wfdb import record_path, write_record
from lemof_core.jobs.ingest import ingest

NOISE, LONG, LONG_S = 990_000_001, 990_000_002, 180


@dataclass(frozen=True)
class ReviewStore:
    """A store like the case store, with a patient who has two more ECGs: noise, and one of minutes."""

    home: Path
    stay: int
    study: int  # linked to the prediction
    foreign: int  # another patient's ECG
    numbers: dict[str, float]

    @property
    def url(self) -> str:
        return f"sqlite:///{self.home / 'cohort.db'}"


@pytest.fixture(scope="module")
def review(tmp_path_factory: pytest.TempPathFactory) -> ReviewStore:
    home = tmp_path_factory.mktemp("review")
    raw, ecg = home / "raw", home / "raw" / "ecg"
    write_cohort(raw, n_stays=N_STAYS, seed=5, ecg_missing=0.2)
    truth = pd.read_csv(raw / "truth.csv")
    with_p = truth[truth["study_id"].notna() & truth["pr_ms"].notna()]
    subject, stay, study = (int(with_p.iloc[0][name]) for name in ("subject_id", "stay_id", "study_id"))
    _write_more(ecg, subject, study)
    store = open_store(f"sqlite:///{home / 'cohort.db'}", create=True)
    ingest(store, raw, ecg)
    add_made_up_run(store, read.samples(store), leave_out=int(with_p.iloc[2]["stay_id"]))
    measured = read.ecg_measurements(store, [study])
    store.close()
    numbers = dict(zip(measured["name"], measured["value"], strict=True))
    return ReviewStore(home, stay, study, int(with_p.iloc[1]["study_id"]), numbers)


def _write_more(ecg: Path, subject: int, study: int) -> None:
    """The patient has an ECG of noise and one of minutes, weeks after the one in the record."""
    listed = ecg / "record_list.csv"
    recorded = pd.Timestamp(pd.read_csv(listed).set_index("study_id").loc[study, "ecg_time"])
    signal = read_signal(ecg / record_path(subject, study))
    assert signal.sig_name == SIG_NAMES
    beats = np.rint(signal.signal_mv * 200).astype(np.int16)
    noise = np.rint(np.random.default_rng(3).normal(0, 160, (5000, 12))).astype(np.int16)
    for days, number, adu in ((40, NOISE, noise), (50, LONG, np.tile(beats, (LONG_S // 10, 1)))):
        time = (recorded + timedelta(days=days)).to_pydatetime()
        write_record(ecg, subject, number, time, adu)
        row = f"{subject},{number},{number},{time:%Y-%m-%d %H:%M:%S},{record_path(subject, number)}\n"
        listed.write_text(listed.read_text(encoding="utf-8") + row, encoding="utf-8")
