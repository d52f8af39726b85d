"""A stored stay in, the LiveCase of its own raw data out: the road that must give the stored prediction again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from cohort_db import ecg_wfdb, read
from cohort_db.errors import InputMistake
from cohort_db.statics import statics
from cohort_db.store import Store
from lemof_core.live import LiveCase


def stored_case(store: Store, stay_id: int, task: str = "los") -> LiveCase:
    """Return the stay's linked ECG as its WFDB file holds it, and everything charted before t0.

    Raises InputMistake for a stay outside the cohort, or a waveform file that cannot be read.
    """
    try:
        row = read.stay_in_task(store, stay_id, task)
    except read.UnknownStay as unknown:
        raise InputMistake(f"stay {stay_id} is not a sample of this store: choose one of the cohort") from unknown
    if row["sample_id"] is None:
        raise InputMistake(f"stay {stay_id} is not a sample of this store: choose one of the cohort")
    catalogue = read.variables(store)
    series = set(catalogue.loc[catalogue["kind"] == "series", "name"])
    values = read.measurements(store, [stay_id], before_s=int(row["t0_offset_s"]) + 1)
    values = values[values["variable"].isin(series)]
    static = statics(store, task, stay_id=stay_id).iloc[0]
    case = LiveCase(
        variable=tuple(values["variable"]),
        offset_s=values["offset_s"].to_numpy(float),
        value=values["value"].to_numpy(float),
        stored_offset_s=values["stored_offset_s"].astype("float64").to_numpy(),
        static={str(name): float(value) for name, value in static.items() if np.isfinite(value)},
    )
    if not row["ecg_usable"]:
        return case
    signal = ecg_wfdb.read_signal(Path(read.ecg_record(store, int(row["study_id"]))["record_path"]))
    return replace(case, signal_mv=signal.signal_mv, fs=signal.fs, sig_name=signal.sig_name)
