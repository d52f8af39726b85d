"""Numpy rows in, rows of numbered arrays beside the store out; the database says how many of them count.

Files are written before the row that names them is committed. What a killed writer left behind lies after `n_rows`:
nobody reads it, and the next writer replaces it. Array folders that no row names are swept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, make_url, select, text, update

from cohort_db import array_files
from cohort_db.bulk_insert import insert_new
from cohort_db.errors import InputMistake
from cohort_db.schema import array_ref
from cohort_db.store import Store
from cohort_db.store_url import is_memory


class ArrayStore:
    """The arrays of one owner: a run_id, or `dataset:<id>` for the 100 Hz ECG copy."""

    def __init__(self, store: Store, owner: str) -> None:
        """Nothing is opened or made yet."""
        self.store = store
        self.owner = owner

    def create(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        axes: Mapping[str, Any],
        note: str,
        *,
        conn: Connection | None = None,
    ) -> None:
        """The array exists, empty if it is new; nothing changed if it was there.

        Args:
            shape: of one row; () for one number a row.
            dtype: anything numpy takes for a dtype of numbers or booleans.
            axes: what each axis of a row is (JSON).
            note: method, baseline and unit, in a sentence.
            conn: the caller's writing connection; without it, a transaction of its own.
        Raises: InputMistake where an array of that name has another shape, dtype, axes or note.
        """
        kind = np.dtype(dtype)
        if kind.kind not in "biuf" or any(width < 1 for width in shape):
            raise InputMistake(f"array {name!r} must have rows of at least one number, however: {shape=}, {kind.name}")
        told = {"shape": shape, "dtype": kind.name, "axes": json.loads(json.dumps(axes)), "note": note}
        folder = f"{quote(self.owner, safe='')}/{quote(name, safe='')}"
        row = {"owner": self.owner, "name": name, "folder": folder, "n_rows": 0, **told}
        with _joined(self.store, conn) as writer:
            # The row first: a second creator waits here until this one is done, and then finds the array made.
            if insert_new(writer, array_ref, [row | {"sha256": array_files.first_link(shape, kind.name)}]):
                array_files.make_array(self.store.arrays_folder / folder, shape, kind.name, _mark(self.store))
                return
            known = self._known(writer, name)
        differing = [
            f"{field} {known[field]!r} is not {told[field]!r}" for field in told if known[field] != told[field]
        ]
        if differing:
            raise InputMistake(f"array {name!r} of {self.owner} exists and differs: {'; '.join(differing)}")

    def append(self, conn: Connection, name: str, rows: NDArray[Any]) -> int:
        """The rows lie on disk after the committed ones, and count once `conn` is committed.

        Args:
            rows: (n, *shape of one row), finite, within the range of the array's dtype.
        Returns: the number of the first of them.
        """
        known = self._known(conn, name, lock=True)
        ready = array_files.storable(rows, known)
        first = int(known["n_rows"])
        array_files.write_rows(self.store.arrays_folder / known["folder"], first, ready)
        changed = {"n_rows": first + len(ready), "sha256": array_files.chained(known["sha256"], ready)}
        conn.execute(update(array_ref).where(*self._is(name)).values(changed))
        return first

    def read(self, name: str, rows: int | slice | Sequence[int] | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """The committed rows asked for: one row for a number, else (n, *shape of one row) in the order asked.

        Raises: InputMistake for an unknown array, or a row number outside 0..n_rows - 1.
        """
        known = self.meta(name)
        asked = np.arange(known["n_rows"])[rows] if isinstance(rows, slice) else np.asarray(rows)
        if asked.size and asked.dtype.kind not in "iu":
            raise InputMistake(f"rows of array {name!r} are chosen by whole numbers, however: {rows!r}")
        wanted = np.atleast_1d(asked).astype(np.int64)
        outside = wanted[(wanted < 0) | (wanted >= known["n_rows"])]
        if outside.size:
            raise InputMistake(f"array {name!r} of {self.owner} has {known['n_rows']} rows and no row {outside[0]}")
        found = array_files.read_rows(self.store.arrays_folder / known["folder"], wanted)
        return found if asked.ndim else np.asarray(found[0])

    def meta(self, name: str) -> dict[str, Any]:
        """The row of `array_ref`: owner, name, folder, n_rows, shape (a tuple), dtype, axes, note, sha256."""
        with self.store.reading() as conn:
            return self._known(conn, name)

    def verify(self, name: str) -> bool:
        """True where the files hold exactly the committed rows, by their hash."""
        known = self.meta(name)
        path = self.store.arrays_folder / known["folder"]
        link = array_files.first_link(known["shape"], known["dtype"])
        try:
            step = array_files.rows_per_chunk(path)
            for start in range(0, known["n_rows"], step):
                part = np.arange(start, min(start + step, known["n_rows"]))
                link = array_files.chained(link, array_files.read_rows(path, part))
        except (InputMistake, OSError, ValueError, RuntimeError, IndexError):
            return False  # files missing, cut short, or not to be unpacked
        return bool(link == known["sha256"])

    def _known(self, conn: Connection, name: str, *, lock: bool = False) -> dict[str, Any]:
        """The array's row; with `lock`, no other PostgreSQL transaction appends before this one ends."""
        query = select(array_ref).where(*self._is(name))
        row = conn.execute(query.with_for_update() if lock else query).mappings().first()
        if row is None:
            raise InputMistake(f"{self.owner} has no array {name!r}")
        return {**row, "shape": tuple(row["shape"])}

    def _is(self, name: str) -> tuple[Any, Any]:
        """The conditions that choose the array's row."""
        return array_ref.c.owner == self.owner, array_ref.c.name == name


def sweep_orphans(store: Store) -> list[Path]:
    """No array folder of this store is without a row that names it; returns those removed."""
    removed: list[Path] = []
    # While this holds the right to write, nobody is between making a folder and committing its row.
    with store.writing() as conn:
        if conn.dialect.name == "postgresql":
            conn.execute(text("LOCK TABLE array_ref IN SHARE ROW EXCLUSIVE MODE"))
        named = {store.arrays_folder / folder for folder in conn.execute(select(array_ref.c.folder)).scalars()}
        for path in sorted(store.arrays_folder.glob("*/*")):
            if path not in named and array_files.mark_of(path) == _mark(store):
                shutil.rmtree(path)
                removed.append(path)
    for owner in {path.parent for path in removed}:
        if not any(owner.iterdir()):
            owner.rmdir()
    return removed


def _mark(store: Store) -> str:
    """What marks an array folder as this store's, where several stores share one folder."""
    url = make_url(store.url)
    if url.get_backend_name() == "sqlite":
        return "memory" if is_memory(url) else Path(str(url.database)).name
    return f"{url.host or url.query.get('host', '')}:{url.port or ''}/{url.database}"


def _joined(store: Store, conn: Connection | None) -> AbstractContextManager[Connection]:
    """The caller's transaction, or one of its own."""
    return store.writing() if conn is None else nullcontext(conn)
