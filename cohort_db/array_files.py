"""One array on disk: numpy rows in, chunked zstd files out, and a hash that is carried from row to row.

Which rows count is not known here: `arrays` asks the database.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from cohort_db.errors import InputMistake

# One row is what the case page reads: a chunk stays small enough to unpack in a millisecond, and large enough that
# 800,000 small rows are thousands of files rather than a million.
_CHUNK_BYTES = 256 * 1024
_MAX_CHUNK_ROWS = 1024
# Every chunk has a file, also one of zeros: what must reach the disk is known.
_ZARR_CONFIG: Any = {"write_empty_chunks": True}


def make_array(path: Path, shape: tuple[int, ...], dtype: str, mark: str) -> None:
    """An empty array for rows of `shape` lies at `path`, marked with the store it belongs to; what was there is gone.

    Raises: InputMistake where another store's array is there.
    """
    if mark_of(path) not in (None, mark):
        raise InputMistake(f"{path} belongs to another store: give each store a folder of its own")
    row_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    chunk_rows = max(1, min(_MAX_CHUNK_ROWS, _CHUNK_BYTES // row_bytes))
    zarr.create_array(
        store=str(path),
        shape=(0, *shape),
        chunks=(chunk_rows, *shape),
        dtype=np.dtype(dtype).newbyteorder("<"),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle"),
        fill_value=0,
        attributes={"store": mark},
        # All chunk files of an array in one folder, as c.3.0.0.
        chunk_key_encoding={"name": "default", "separator": "."},
        overwrite=True,
        config=_ZARR_CONFIG,
    )


def mark_of(path: Path) -> str | None:
    """The store that the array at `path` belongs to; None where there is no array."""
    try:
        return str(zarr.open_array(str(path), mode="r").attrs.get("store"))
    except (OSError, ValueError, KeyError):
        return None


def write_rows(path: Path, first: int, rows: NDArray[Any]) -> None:
    """The array's rows from `first` on are `rows` and nothing else, and have reached the disk."""
    files = _opened(path, "r+").with_config(_ZARR_CONFIG)
    # A writer that did not finish may have left more rows than these: resizing cuts them off.
    files.resize((first + len(rows), *rows.shape[1:]))
    if not len(rows):
        return
    files[first:] = rows
    chunk_rows = files.chunks[0]
    n_inner = len(rows.shape) - 1
    for chunk in range(first // chunk_rows, (first + len(rows) - 1) // chunk_rows + 1):
        _flush(path / files.metadata.encode_chunk_key((chunk, *[0] * n_inner)))
    for kept in (path / "zarr.json", path):
        _flush(kept)


def read_rows(path: Path, wanted: NDArray[np.int64]) -> NDArray[Any]:
    """The rows numbered `wanted`, in that order: (n, *shape of one row)."""
    files = _opened(path, "r")
    if not wanted.size:
        return np.empty((0, *files.shape[1:]), files.dtype)
    if wanted[-1] - wanted[0] + 1 == wanted.size and (np.diff(wanted) == 1).all():
        return np.asarray(files[int(wanted[0]) : int(wanted[-1]) + 1])
    return np.asarray(files.oindex[wanted])


def rows_per_chunk(path: Path) -> int:
    """How many rows are unpacked together."""
    return int(_opened(path, "r").chunks[0])


def storable(rows: NDArray[Any], known: Mapping[str, Any]) -> NDArray[Any]:
    """`rows` in the dtype of the array described by `known`; NaN, infinities, overflow, other shapes are refused."""
    given = np.asarray(rows)
    dtype = np.dtype(known["dtype"])
    where = f"array {known['name']!r} of {known['owner']}"
    if given.shape[1:] != known["shape"] or given.ndim != len(known["shape"]) + 1:
        raise InputMistake(f"{where} takes rows of shape {known['shape']}, however: {given.shape[1:]}")
    if not np.can_cast(given.dtype, dtype, casting="same_kind"):
        raise InputMistake(f"{where} holds {dtype.name}, however: {given.dtype.name}")
    with np.errstate(over="ignore"):
        ready = np.ascontiguousarray(given, dtype=dtype.newbyteorder("<"))
    if dtype.kind == "f" and not np.isfinite(ready).all():
        raise InputMistake(f"{where} must hold finite numbers within the range of {dtype.name}")
    if dtype.kind in "iu" and not np.array_equal(ready, given):
        raise InputMistake(f"{where} holds {dtype.name}, however: a value lies outside its range")
    return ready


def first_link(shape: tuple[int, ...], dtype: str) -> str:
    """The hash of an array without rows."""
    return hashlib.sha256(f"{dtype}{list(shape)}".encode()).hexdigest()


def chained(link: str, rows: NDArray[Any]) -> str:
    """The hash after `rows`: each row is hashed with the link before it, so that batches may be cut anywhere."""
    for row in rows:
        link = hashlib.sha256(bytes.fromhex(link) + row.tobytes()).hexdigest()
    return link


def _opened(path: Path, mode: Any) -> zarr.Array[Any]:
    """The array at `path`, as it is on disk now."""
    try:
        return zarr.open_array(str(path), mode=mode)
    except (OSError, ValueError, KeyError):
        raise InputMistake(f"the array files at {path} are missing or damaged: make them again") from None


def _flush(path: Path) -> None:
    """What was written to the file or folder is on the disk, before the database says so."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
