"""Uploaded files in, an ECG in mV or a table of values out. Pure: every mistake is one sentence, an InputMistake."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from cohort_db.ecg_leads import in_millivolts
from cohort_db.ecg_wfdb import EcgSignal, read_signal
from cohort_db.errors import InputMistake

MOST_MV = 20.0  # no surface ECG spans more between its extremes; microvolts named millivolts do
EHR_COLUMNS = ("variable", "hours", "value")


def read_wfdb(files: Mapping[str, bytes]) -> EcgSignal:
    """Return the record of an uploaded .hea with its .dat (or .mat)."""
    headers = [name for name in files if name.lower().endswith(".hea")]
    if len(headers) != 1 or len(files) < 2:
        raise InputMistake(f"a WFDB record is one .hea and its .dat, however: {', '.join(sorted(files)) or 'nothing'}")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        return checked(read_signal(Path(folder) / Path(headers[0]).stem))


def read_ecg_csv(content: bytes, *, fs: float, unit: str) -> EcgSignal:
    """Return the ECG of a CSV with one column a lead (named I, II, ... V6), in `unit`, and one row a sample."""
    try:
        table = pd.read_csv(io.BytesIO(content))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputMistake(f"the ECG file is no CSV with a header line ({error})") from error
    numeric = table.select_dtypes("number")
    if numeric.empty or len(numeric) < fs:
        raise InputMistake(
            f"an ECG needs numeric columns named by lead and at least 1 s, however: {table.shape} at {fs:g} Hz"
        )
    names = tuple(str(name) for name in numeric.columns)
    signal_mv, names = in_millivolts(numeric.to_numpy(float), names, (unit,) * len(names))
    return checked(EcgSignal(signal_mv, fs, names))


def checked(ecg: EcgSignal) -> EcgSignal:
    """Return the ECG; raise InputMistake where it holds no sample, or an amplitude that no unit it claims can have."""
    known = np.isfinite(ecg.signal_mv)
    if not known.any():
        raise InputMistake("the ECG holds no valid sample")
    lowest, highest = (np.where(known, ecg.signal_mv, fill) for fill in (np.inf, -np.inf))
    spans = (highest.max(axis=0) - lowest.min(axis=0))[known.any(axis=0)]
    typical = float(np.median(spans))
    if typical > MOST_MV:
        raise InputMistake(
            f"the leads span {typical:.0f} mV, which no heart makes: are these microvolts or raw counts?"
        )
    return ecg


def read_ehr_csv(content: bytes) -> pd.DataFrame:
    """Return columns variable, offset_s, value, stored_offset_s from a CSV with variable, hours, value (and
    stored_hours): hours count from ICU admission."""
    try:
        table = pd.read_csv(io.BytesIO(content))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputMistake(f"the EHR file is no CSV with a header line ({error})") from error
    missing = [name for name in EHR_COLUMNS if name not in table.columns]
    if missing:
        raise InputMistake(f"the EHR file has no column {', '.join(missing)}; it needs {', '.join(EHR_COLUMNS)}")
    for name in ("hours", "value"):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    bad = table.index[table[["hours", "value"]].isna().any(axis=1)]
    if len(bad):
        raise InputMistake(f"line {int(bad[0]) + 2} of the EHR file holds no number for hours or value")
    stored = table["stored_hours"] if "stored_hours" in table else pd.Series(np.nan, index=table.index)
    unread = stored.index[stored.notna() & pd.to_numeric(stored, errors="coerce").isna()]
    if len(unread):
        raise InputMistake(f"line {int(unread[0]) + 2} of the EHR file holds no number for stored_hours")
    return pd.DataFrame(
        {
            "variable": table["variable"].astype(str).str.strip(),
            "offset_s": (table["hours"] * 3600).round(),
            "value": table["value"],
            "stored_offset_s": (pd.to_numeric(stored, errors="coerce") * 3600).round(),
        }
    )


def ehr_csv(values: pd.DataFrame) -> str:
    """Return the CSV text that `read_ehr_csv` reads back: a template, or a stored stay's own values."""
    table = pd.DataFrame(
        {
            "variable": values["variable"],
            "hours": values["offset_s"] / 3600,
            "value": values["value"],
            "stored_hours": values["stored_offset_s"].astype("float64") / 3600,
        }
    )
    return table.to_csv(index=False)
