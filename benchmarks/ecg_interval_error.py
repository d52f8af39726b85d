"""PR, QRS and QT as we measure them and as NeuroKit's delineators do, against those that synthetic ECGs were made with.

No ratio of times: error in ms (measured minus true), the share of records in which anything was measured, and how often
a PR was given in atrial fibrillation, where there is none. NeuroKit works lead by lead: it gets lead II, cleaned by its
own ecg_clean, with its own R peaks, and the median over its beats; "peak" marks no ends of QRS, so that is from Q to S.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neurokit2
import numpy as np
import pandas as pd
from side_by_side import report

from cohort_db.ecg_wfdb import read_signal
from cohort_db.synthetic import write_cohort
from lemof_core.ecg_measure import measure_ecg
from lemof_core.ecg_signal import LEADS, arrange_leads

METHODS = ("dwt", "cwt", "peak", "prominence")
NAMES = ("pr_ms", "qrs_ms", "qt_ms")
LEAD = LEADS.index("II")


def ours(ecg_mv: np.ndarray, fs: float) -> dict[str, float]:
    """Return what is stored at ingest."""
    measured = measure_ecg(ecg_mv, fs)
    return {name: measured[name] for name in NAMES}


def neurokit(method: str) -> Callable[[np.ndarray, float], dict[str, float]]:
    """Return the same by one of NeuroKit's delineators."""

    def measure(ecg_mv: np.ndarray, fs: float) -> dict[str, float]:
        cleaned = neurokit2.ecg_clean(ecg_mv[LEAD], sampling_rate=int(fs))
        peaks = neurokit2.ecg_peaks(cleaned, sampling_rate=int(fs))[1]["ECG_R_Peaks"]
        if len(peaks) < 4:
            return dict.fromkeys(NAMES, float("nan"))
        _, waves = neurokit2.ecg_delineate(cleaned, peaks, sampling_rate=int(fs), method=method)

        def marks(*keys: str) -> np.ndarray:
            return np.asarray(next(waves[key] for key in keys if key in waves), dtype=float)

        # By their place around R: the lists of some methods are not of one length.
        onset = _beside(peaks, marks("ECG_R_Onsets", "ECG_Q_Peaks"), fs, -0.2)
        offset = _beside(peaks, marks("ECG_R_Offsets", "ECG_S_Peaks"), fs, 0.25)
        spans = {
            "pr_ms": onset - _beside(peaks, marks("ECG_P_Onsets"), fs, -0.5),
            "qrs_ms": offset - onset,
            "qt_ms": _beside(peaks, marks("ECG_T_Offsets"), fs, 0.8) - onset,
        }
        return {name: float(np.nanmedian(span)) / fs * 1000 for name, span in spans.items()}

    return measure


def _beside(peaks: np.ndarray, marks: np.ndarray, fs: float, reach_s: float) -> np.ndarray:
    """Return for each R the nearest mark before (reach_s < 0) or after it, within reach; NaN where there is none."""
    away = marks[None, :] - np.asarray(peaks, dtype=float)[:, None]
    away = np.where((away * np.sign(reach_s) >= 0) & (np.abs(away) <= abs(reach_s) * fs), away, np.nan)
    nearest = np.full(len(peaks), np.nan)
    some = np.isfinite(away).any(axis=1)
    nearest[some] = away[some, np.nanargmin(np.abs(away[some]), axis=1)]
    return nearest


def main() -> None:
    """Measure on synthetic records and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stays", type=int, default=400)
    parser.add_argument("--seed", type=int, default=20261122)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_cohort(folder, n_stays=arguments.stays, seed=arguments.seed, ecg_missing=0.0)
        records = pd.read_csv(folder / "ecg" / "record_list.csv").set_index("study_id")
        truth = pd.read_csv(folder / "truth.csv").set_index("study_id")
        signals = {study: read_signal(folder / "ecg" / records.loc[study, "path"]) for study in truth.index}
        arrays = {
            study: (arrange_leads(one.signal_mv, sig_name=one.sig_name), one.fs) for study, one in signals.items()
        }
    measures = {"ours": ours} | {f"neurokit {method}": neurokit(method) for method in METHODS}
    found: dict[str, Any] = {"n": len(truth), "n_without_p": int(truth["pr_ms"].isna().sum())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category=RuntimeWarning)  # medians of nothing are counted as not measured
        warnings.simplefilter("ignore", category=neurokit2.misc.NeuroKitWarning)
        for method, measure in measures.items():
            rows = {study: measure(*array) for study, array in arrays.items()}
            found[method] = errors(pd.DataFrame.from_dict(rows, orient="index"), truth)
    report("ecg_interval_error", found)


def errors(measured: pd.DataFrame, truth: pd.DataFrame) -> dict[str, Any]:
    """Return for each interval the median and quartiles of its error and the share measured; PR also where none is."""
    told: dict[str, Any] = {}
    for name in NAMES:
        there = truth[name].notna()
        error = (measured[name] - truth[name])[there]
        known = error.dropna()
        low, middle, high = known.quantile([0.25, 0.5, 0.75]).round(1) if len(known) else [None] * 3
        told[name] = {"median": middle, "quartiles": [low, high], "measured": round(len(known) / max(1, len(error)), 3)}
    told["pr_invented"] = round(float(measured["pr_ms"][truth["pr_ms"].isna()].notna().mean()), 3)
    return told


if __name__ == "__main__":
    main()
