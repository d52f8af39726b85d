"""In: a MIMIC-IV-ECG folder (record_list.csv and WFDB records). Out: the list as a frame; headers; signals in mV.

Leads stay in file order with their names: MIMIC writes aVF before aVL, so nobody may count on positions.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import wfdb
from numpy.typing import NDArray

from cohort_db.ecg_header_lines import MOST_HEADER_BYTES, header_lines
from cohort_db.ecg_leads import in_millivolts
from cohort_db.errors import InputMistake
from cohort_db.mimic_iv import moment, whole

RECORD_LIST = "record_list.csv"
_LIST_COLUMNS = ("subject_id", "study_id", "ecg_time", "path")
# Bytes per sample of WFDB's uncompressed formats; compressed ones (FLAC) cannot be judged by their size.
_SAMPLE_BYTES = {"8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "61": 2.0, "80": 1.0, "160": 2.0, "212": 1.5}
COMPRESSED_FORMATS = ("508", "516", "524")
_LOWEST_FS, _HIGHEST_FS, _MOST_SIGNALS = 50, 20_000, 64
# What wfdb raises for headers that are not headers.
_WFDB_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, MemoryError)


@dataclass(frozen=True)
class EcgHeader:
    """Facts of one record: fs in Hz, sig_len samples per lead, and per lead its name, unit and gain (adu per unit).

    `surrogate` says that the waveform is another person's heart, `synthetic` that a program made it. `sample_files` are
    the names of the files beside the header that hold the samples, each once.
    """

    fs: float
    sig_len: int
    sig_name: tuple[str, ...]
    units: tuple[str, ...]
    adc_gain: tuple[float, ...]
    surrogate: bool
    synthetic: bool
    sample_files: tuple[str, ...]


class EcgSignal(NamedTuple):
    """signal_mv (sig_len, n_sig) float64 mV, NaN where invalid; columns in file order, named by sig_name; fs in Hz."""

    signal_mv: NDArray[np.float64]
    fs: float
    sig_name: tuple[str, ...]


def read_record_list(folder: Path) -> pl.DataFrame:
    """Return subject_id, study_id, ecg_time, path of every listed record, in file order.

    Raises: InputMistake for a missing folder, file or column, and for rows that cannot be read or are listed twice.
    """
    file = folder / RECORD_LIST
    if not file.is_file():
        raise InputMistake(f"{folder} has no {RECORD_LIST}: give the MIMIC-IV-ECG folder that holds it")
    try:
        raw = pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputMistake(f"{RECORD_LIST} cannot be read: {str(error).splitlines()[0]}") from None
    raw = raw.rename({name: name.strip().lower() for name in raw.columns})
    for name in _LIST_COLUMNS:
        if name not in raw.columns:
            raise InputMistake(f"{RECORD_LIST} has no column {name}; its columns are {', '.join(raw.columns)}")
    records = raw.select(whole("subject_id"), whole("study_id"), moment("ecg_time"), pl.col("path").str.strip_chars())
    for name in _LIST_COLUMNS:
        if records[name].null_count():
            raise InputMistake(f"{RECORD_LIST} has a row without a readable {name}")
    repeated = records.filter(pl.col("study_id").is_duplicated())
    if len(repeated):
        raise InputMistake(f"{RECORD_LIST} has study_id {repeated['study_id'][0]} twice")
    return records


def record_path(folder: Path, path: str) -> Path:
    """Return where a listed record lies; raise InputMistake for a path that leads out of the folder."""
    record = (folder / path).resolve()
    if not record.is_relative_to(folder.resolve()):
        raise InputMistake(f"the record path {path!r} leads out of the ECG folder")
    return record


def read_header(record: Path) -> EcgHeader:
    """Return the header's facts, after checking that the files hold as many samples as it promises.

    Args:
        record: path without suffix.
    Raises: InputMistake saying in a sentence why the record cannot be used.
    """
    name = record.name
    file = record.with_name(f"{name}.hea")
    if not file.is_file():
        raise InputMistake(f"{name}.hea is missing")
    with file.open("rb") as handle:
        stated = header_lines(handle.read(MOST_HEADER_BYTES + 1), name)
    try:
        header: Any = wfdb.rdheader(str(record))
    except _WFDB_ERRORS:
        raise InputMistake(f"{name}.hea is no WFDB header") from None
    _check_numbers(header, name)
    if (tuple(header.file_name), tuple(header.fmt)) != (stated.files, stated.formats):
        raise InputMistake(f"{name}.hea can be read in two ways: its signal lines are not as WFDB writes them")
    _check_files(header, record)
    remarks = " ".join(header.comments).upper()
    return EcgHeader(
        fs=float(header.fs),
        sig_len=int(header.sig_len),
        sig_name=tuple(header.sig_name),
        units=tuple(header.units),
        adc_gain=tuple(float(gain) for gain in header.adc_gain),
        surrogate="SURROGATE" in remarks,
        synthetic="SYNTHETIC" in remarks,
        sample_files=tuple(dict.fromkeys(header.file_name)),
    )


def content_sha256(record: Path, header: EcgHeader) -> str:
    """Return a hash of the bytes of the header and the sample files: equal where the same signal is read.

    Raises: InputMistake where a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in (f"{record.name}.hea", *header.sample_files):
        try:
            with record.with_name(name).open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
        except OSError as error:
            raise InputMistake(f"{name} cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def read_signal(record: Path, *, content: str | None = None) -> EcgSignal:
    """Return the record in mV, by the header's gain, baseline and units; columns that are no voltage are left out.

    Args:
        record: path without suffix.
        content: the `content_sha256` that the files must still have.
    Raises: InputMistake saying in a sentence why the record cannot be used.
    """
    header = read_header(record)
    if content is not None and content_sha256(record, header) != content:
        raise InputMistake(f"{record.name} is not the record that was ingested: its files have changed since")
    signal_mv, names = in_millivolts(read_samples(record, header), header.sig_name, header.units)
    return EcgSignal(signal_mv, header.fs, names)


def read_samples(record: Path, header: EcgHeader) -> NDArray[np.float64]:
    """Return (sig_len, n_sig) in the header's units, NaN where invalid; raise InputMistake where that fails."""
    try:
        signal = wfdb.rdrecord(str(record)).p_signal
    except _WFDB_ERRORS:
        raise InputMistake(f"the samples of {record.name} cannot be read") from None
    if signal.shape != (header.sig_len, len(header.sig_name)):
        raise InputMistake(f"{record.name} holds {signal.shape[0]} samples, its header promises {header.sig_len}")
    return np.asarray(signal, dtype=np.float64)


def _check_numbers(header: Any, name: str) -> None:
    """The header describes a signal that can exist."""
    n_sig = header.n_sig or 0
    if not 1 <= n_sig <= _MOST_SIGNALS:
        raise InputMistake(f"{name}.hea promises {n_sig} signals: from 1 to {_MOST_SIGNALS} can be read")
    if not header.fs or not _LOWEST_FS <= header.fs <= _HIGHEST_FS:
        raise InputMistake(f"{name}.hea gives {header.fs} samples a second: it must be {_LOWEST_FS} to {_HIGHEST_FS}")
    if not header.sig_len or header.sig_len < 1:
        raise InputMistake(f"{name}.hea does not say how many samples there are")
    if len(header.sig_name or []) != n_sig or len(set(header.sig_name)) != n_sig:
        raise InputMistake(f"{name}.hea promises {n_sig} signals but does not name each of them once")
    if not all(gain and math.isfinite(gain) for gain in header.adc_gain):
        raise InputMistake(f"{name}.hea gives a gain of zero")


def _check_files(header: Any, record: Path) -> None:
    """The signal files are there, and as long as the header says."""
    needed: dict[str, float] = {}
    lines = zip(header.file_name, header.fmt, header.samps_per_frame, header.byte_offset, strict=True)
    for file_name, fmt, per_frame, offset in lines:
        if fmt not in _SAMPLE_BYTES and fmt not in COMPRESSED_FORMATS:
            raise InputMistake(f"{record.name}.hea names the signal format {fmt}, which cannot be read")
        samples = header.sig_len * (per_frame or 1) * _SAMPLE_BYTES.get(fmt, 0.0)
        needed[file_name] = needed.get(file_name, float(offset or 0)) + samples
    for file_name, n_bytes in needed.items():
        file = record.with_name(file_name)
        if not file.is_file():
            raise InputMistake(f"{file_name} is missing")
        there = file.stat().st_size
        if there < math.floor(n_bytes):
            raise InputMistake(f"{file_name} is cut short: it has {there} of {math.floor(n_bytes)} bytes")
