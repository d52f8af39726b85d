"""ECGs as users upload them: file name -> bytes, in each of the formats that the live page takes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import wfdb
from synthetic_ecg_support import parameters

from cohort_db.synthetic.ecg_dipole import SIG_NAMES
from cohort_db.synthetic.ecg_record import synthesise_records
from dashboard.live_files import check_upload, read_upload, uploads_in
from dashboard.live_raw_ecg import Recording, recording_of

LEADS = list(SIG_NAMES)  # as MIMIC writes them: aVF before aVL


def heart(seconds: float = 10.0, fs: int = 500, seed: int = 4) -> np.ndarray:
    """(n, 12) mV of a synthetic heart, as long as wanted by repetition of its ten seconds."""
    record = synthesise_records(parameters(1), np.random.default_rng(seed)).adu[0] / 200.0
    long = np.tile(record, (int(np.ceil(seconds / 10)), 1))[: round(seconds * 500)]
    return np.asarray(long[:: 500 // fs] if fs <= 500 else np.repeat(long, fs // 500, axis=0))


def wfdb_files(
    signal: np.ndarray, *, name: str = "case", fs: float = 500, leads: Sequence[str] = LEADS, unit: str = "mV"
) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        wfdb.wrsamp(
            name, fs=fs, units=[unit] * len(leads), sig_name=list(leads), p_signal=signal, fmt=["16"] * len(leads),
            write_dir=folder,
        )  # fmt: skip
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def csv_file(signal: np.ndarray, leads: Sequence[str] = LEADS, **more: Sequence[object]) -> bytes:
    table = pd.DataFrame(dict(more)).join(pd.DataFrame(signal, columns=list(leads)), how="right")
    return table.to_csv(index=False).encode()


def npz_file(arrays: Mapping[str, object], *, packed: bool = True) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def read_all(files: Mapping[str, bytes], *, fs: float | None = None, unit: str | None = None) -> list[Recording]:
    """Every recording of an upload, by the page's own road."""
    check_upload((name, len(content)) for name, content in files.items())
    uploads, _ = uploads_in(files)
    return [recording_of(one.name, one.kind, read_upload(one, files), fs=fs, unit=unit) for one in uploads]
