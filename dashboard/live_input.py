"""Uploaded files in, a LiveCase and a preview out. Pure: every mistake is a ValueError with one sentence."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from cohort_db import ecg_wfdb
from cohort_db.errors import InputMistake

MOST_MV = 20.0  # no surface ECG spans more between its extremes; microvolts named millivolts do
EHR_COLUMNS = ("variable", "hours", "value")


@dataclass(frozen=True)
class UploadedEcg:
    """A signal as uploaded: p_signal (sig_len, n_sig) in `units`, fs in Hz."""

    p_signal: np.ndarray
    fs: float
    sig_name: tuple[str, ...]
    units: tuple[str, ...]


def read_wfdb(files: Mapping[str, bytes]) -> UploadedEcg:
    """Return the record of an uploaded .hea with its .dat (or .mat)."""
    headers = [name for name in files if name.lower().endswith(".hea")]
    if len(headers) != 1 or len(files) < 2:
        raise InputMistake(f"a WFDB record is one .hea and its .dat, however: {', '.join(sorted(files)) or 'nothing'}")
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / Path(name).name).write_bytes(content)
        signal = ecg_wfdb.read_signal(Path(folder) / Path(headers[0]).stem)
    return checked(UploadedEcg(signal.p_signal, signal.fs, tuple(signal.sig_name), tuple(signal.units)))


def read_ecg_csv(content: bytes, *, fs: float, unit: str) -> UploadedEcg:
    """Return the ECG of a CSV with one column a lead (named I, II, ... V6) and one row a sample."""
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
    return checked(UploadedEcg(numeric.to_numpy(float), fs, names, (unit,) * len(names)))


def checked(ecg: UploadedEcg) -> UploadedEcg:
    """Return the ECG; raise InputMistake where its amplitude cannot be in the unit it claims."""
    factor = {"uv": 1e-3, "µv": 1e-3, "v": 1e3}.get(ecg.units[0].lower(), 1.0)
    spans = np.nanmax(ecg.p_signal, axis=0) - np.nanmin(ecg.p_signal, axis=0)
    largest = float(np.nanmedian(spans)) * factor
    if largest > MOST_MV:
        raise InputMistake(
            f"the leads span {largest:.0f} mV, which no heart makes: are these microvolts or raw counts?"
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
