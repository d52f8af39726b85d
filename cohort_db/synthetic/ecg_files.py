"""In: a batch of stays. Out: their ECG records on disk, the rows of record_list.csv, and what the linked ones show.

The linked record is the last one in [intime - 24 h, t0]; others lie before it, long before the stay, or after t0, so
that linking has something to get wrong. Those show the same heart (axis, conduction, notch) at another moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from cohort_db.synthetic.ecg_dipole import SIG_NAMES
from cohort_db.synthetic.ecg_parameters import draw_ecg, draw_uniforms, u_scores
from cohort_db.synthetic.ecg_record import RECORDS_AT_ONCE, synthesise_records
from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import BoolArray, FloatArray, IntArray
from cohort_db.synthetic.stays import Ids, StayBatch, TimeArray
from cohort_db.synthetic.write_wfdb import record_path, write_record

_SAME_HEART = ("bundle", "lvh", "voltage", "axis", "pr", "qrs", "notch")
_P_BEFORE, _P_LONG_BEFORE, _P_AFTER = 0.12, 0.08, 0.12
_DAY_S = 86_400


@dataclass(frozen=True)
class WrittenEcgs:
    """study_id (0 where no ECG is linked) and st_mv (n, 12) of the stays; `records` has the columns of record_list."""

    study_id: IntArray
    st_mv: FloatArray
    records: pl.DataFrame


def write_ecgs(folder: Path, batch: StayBatch, ids: Ids, rng: np.random.Generator) -> WrittenEcgs:
    """All records of a batch are below `folder`."""
    row, second, linked = _record_times(batch, rng)
    e = _parameters(batch, row, linked, rng)
    study_id = ids.take("study", len(row))
    ecg_time = batch.intime[row] + second.astype("timedelta64[s]")
    st_mv = np.full((batch.n, len(SIG_NAMES)), np.nan)
    for start in range(0, len(row), RECORDS_AT_ONCE):
        part = slice(start, start + RECORDS_AT_ONCE)
        made = synthesise_records({name: values[part] for name, values in e.items()}, rng)
        st_mv[row[part][linked[part]]] = made.st_mv[linked[part]]
        for k, adu in enumerate(made.adu, start=start):
            write_record(folder, int(batch.subject_id[row[k]]), int(study_id[k]), ecg_time[k].item(), adu)
    study_of_stay = np.zeros(batch.n, np.int64)
    study_of_stay[row[linked]] = study_id[linked]
    return WrittenEcgs(study_of_stay, st_mv, _record_list(batch.subject_id[row], study_id, ecg_time))


def _record_times(batch: StayBatch, rng: np.random.Generator) -> tuple[IntArray, IntArray, BoolArray]:
    """Stay row, seconds after ICU admission, and whether the record is the stay's linked one."""
    los_s = 60 * batch.los_minutes
    around = np.round(rng.normal(5_400, 18_000, batch.n)).astype(np.int64)
    linked_s = np.clip(around, -20 * 3600, np.minimum(23 * 3600, los_s - 600))
    has = batch.draw.has_ecg
    # Never more than 23.5 h before admission: the window's edge is not a matter of rounding here.
    before_s = linked_s - rng.integers(600, 3 * 3600, batch.n)
    long_before_s = -rng.integers(2 * _DAY_S, 60 * _DAY_S, batch.n)
    after_s = _DAY_S + rng.integers(1800, 40 * 3600, batch.n)
    kinds = (
        (linked_s, has),
        (before_s, has & (rng.random(batch.n) < _P_BEFORE)),
        # A second stay has its first stay in the past: leave that alone.
        (long_before_s, ~batch.second & (rng.random(batch.n) < _P_LONG_BEFORE)),
        (after_s, (after_s < los_s - 600) & (rng.random(batch.n) < _P_AFTER)),
    )
    rows = [np.flatnonzero(chosen) for _, chosen in kinds]
    seconds = [second[row] for (second, _), row in zip(kinds, rows, strict=True)]
    linked = np.concatenate([np.full(len(row), k == 0) for k, row in enumerate(rows)])
    return np.concatenate(rows), np.concatenate(seconds), linked


def _parameters(batch: StayBatch, row: IntArray, linked: BoolArray, rng: np.random.Generator) -> Values:
    """e of every record: the stay's own for the linked one, the same heart at another moment for the others."""
    u = {name: values[row] for name, values in batch.draw.u.items()}
    v = draw_uniforms(len(row), rng)
    for name, values in batch.draw.v.items():
        v[name] = values[row] if name in _SAME_HEART else np.where(linked, values[row], v[name])
    return draw_ecg(u_scores(u), v)


def _record_list(subject_id: IntArray, study_id: IntArray, ecg_time: TimeArray) -> pl.DataFrame:
    paths = [record_path(int(subject), int(study)) for subject, study in zip(subject_id, study_id, strict=True)]
    return pl.DataFrame(
        {
            "subject_id": subject_id,
            "study_id": study_id,
            "file_name": study_id,
            "ecg_time": ecg_time,
            "path": pl.Series(paths, dtype=pl.String),
        }
    )
