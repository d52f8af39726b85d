"""An uploaded NPZ in, its leads out: one array a lead, or one array with names. Nothing is unpickled.

Sizes are read before room is made for them: a zip of some kB may unpack to many GB, and an array of a hundred bytes
may claim a shape of 10^12.
"""

from __future__ import annotations

import io
import re
import tokenize
import zipfile
import zlib
from math import prod
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from cohort_db.errors import InputMistake
from dashboard.live_limits import MOST_COLUMNS, MOST_SAMPLES
from dashboard.live_raw_ecg import RawEcg, check_size, lead_and_unit

SIGNALS = ("signal", "signals", "signal_mv", "p_signal", "ecg", "data", "x")
NAMES = ("names", "sig_name", "sig_names", "leads", "lead_names", "channels")
RATES = ("fs", "sampling_rate", "sample_rate", "sampling_frequency", "frequency")
UNIT = ("unit", "units")
_MEMBER = re.compile(r"[\w .()\[\]-]{1,64}\.npy", re.ASCII)
_MOST_BYTES = MOST_SAMPLES * 8
_MOST_NPY_HEADER = 4096


def read_npz(name: str, content: bytes) -> RawEcg:
    """Return the ECG of an NPZ: arrays named by lead, or a 2-D array (`SIGNALS`) with its `NAMES`; and `RATES`, `UNIT`.

    Raises: InputMistake saying in a sentence why it cannot be read, or must not be.
    """
    arrays = _arrays(name, content)
    fs = _scalar(arrays, RATES)
    unit = _text(arrays, UNIT)
    main = next((arrays[key] for key in SIGNALS if key in arrays and arrays[key].ndim == 2), None)
    if main is not None:
        names = next((arrays[key] for key in NAMES if key in arrays), None)
        if names is None or names.ndim != 1 or names.dtype.kind not in "US":
            raise InputMistake(
                f"{name} has an array without names of its leads: add an array names (I, II, ...), for a lead read by "
                "its place may be another"
            )
        columns = tuple(value.decode("ascii", "replace") if isinstance(value, bytes) else str(value) for value in names)
        signal = _oriented(name, main, len(columns))
    else:
        columns = tuple(key for key in arrays if lead_and_unit(key)[0])
        lengths = {arrays[key].shape for key in columns}
        if not columns or len(lengths) != 1 or len(next(iter(lengths))) != 1:
            raise InputMistake(
                f"{name} holds neither arrays of one length named by lead (I, II, ... V6), nor an array "
                f"{SIGNALS[0]} with {NAMES[0]}"
            )
        check_size(arrays[columns[0]].size, len(columns), name)
        if any(arrays[key].dtype.kind not in "iuf" for key in columns):
            raise InputMistake(f"{name} holds text where the numbers of a lead belong")
        signal = np.stack([arrays[key].astype(np.float64) for key in columns], axis=1)
    stated = [lead_and_unit(column)[1] or unit for column in columns]
    return RawEcg(_finite(signal), columns, tuple(stated), fs)


def _arrays(name: str, content: bytes) -> dict[str, NDArray[Any]]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, RuntimeError):
        raise InputMistake(f"{name} is no NPZ file") from None
    if len(members) > 2 * MOST_COLUMNS:
        raise InputMistake(f"{name} holds {len(members):,} arrays: at most {2 * MOST_COLUMNS} are read")
    if any(not _MEMBER.fullmatch(member.filename) for member in members):
        raise InputMistake(
            f"{name} holds something that is no array of its own: an NPZ has files called NAME.npy alone"
        )
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise InputMistake(
            f"{name} is packed in a way that NumPy does not write: save it with savez or savez_compressed"
        )
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MOST_BYTES:
        raise InputMistake(f"{name} unpacks to {unpacked / 1e6:,.0f} MB: at most {_MOST_BYTES / 1e6:.0f} MB are read")
    arrays: dict[str, NDArray[Any]] = {}
    for member in members:
        key = member.filename.removesuffix(".npy")
        if key in arrays:
            raise InputMistake(f"{name} holds the array {key} twice")
        try:
            # zipfile stops at the size that was stated above, and fails where more or other bytes come.
            with archive.open(member) as stream:
                arrays[key] = _array(stream, f"{name}, array {key},", member.file_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError):
            raise InputMistake(f"{name} is damaged: array {key} cannot be unpacked") from None
    return arrays


def _array(stream: IO[bytes], what: str, n_bytes: int) -> NDArray[Any]:
    """Return one array of numbers or text; its header is believed only where the bytes behind it are as many."""
    content = io.BytesIO(stream.read(n_bytes))
    try:
        version = npy.read_magic(content)
        read_head = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, by_column, dtype = read_head(content, max_header_size=_MOST_NPY_HEADER)
    except (
        ValueError,
        LookupError,
        TypeError,
        SyntaxError,
        tokenize.TokenError,
        EOFError,
        RecursionError,
        MemoryError,
    ):
        raise InputMistake(f"{what} is no array that can be read") from None
    if dtype.hasobject:
        raise InputMistake(
            f"{what} holds Python objects (a pickle), which are never loaded: save numbers and text alone"
        )
    if dtype.kind not in "iufUS" or dtype.itemsize == 0:
        raise InputMistake(f"{what} holds neither numbers nor text")
    if prod(shape) * dtype.itemsize != n_bytes - content.tell():
        raise InputMistake(f"{what} is not as long as it says")
    found = np.frombuffer(content.getbuffer(), dtype=dtype, offset=content.tell(), count=prod(shape))
    return found.reshape(shape, order="F" if by_column else "C")


def _scalar(arrays: dict[str, NDArray[Any]], keys: tuple[str, ...]) -> float | None:
    found = next((arrays[key] for key in keys if key in arrays), None)
    return float(found.reshape(-1)[0]) if found is not None and found.size == 1 and found.dtype.kind in "iuf" else None


def _text(arrays: dict[str, NDArray[Any]], keys: tuple[str, ...]) -> str | None:
    found = next((arrays[key] for key in keys if key in arrays), None)
    if found is None or found.size != 1 or found.dtype.kind not in "US":
        return None
    value = found.reshape(-1)[0]
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _oriented(name: str, signal: NDArray[Any], n_names: int) -> NDArray[np.float64]:
    """Return (sig_len, n_names): samples along the longer side, whichever way the array lies."""
    if signal.dtype.kind not in "iuf" or n_names not in signal.shape or signal.shape[0] == signal.shape[1]:
        raise InputMistake(f"{name} has an array of {signal.shape} with {n_names} names: one side must be the leads")
    check_size(max(signal.shape), n_names, name)
    return np.asarray(signal if signal.shape[1] == n_names else signal.T, dtype=np.float64)


def _finite(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(signal), signal, np.nan)
