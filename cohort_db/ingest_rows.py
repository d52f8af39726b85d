"""In: rows as a source has them now. Out: what differs from a table's stored rows, and the table brought to the source.

A step that is done again leaves exactly what its source holds: rows are added, changed and removed, and rows that are
equal are not touched. So the same files change nothing, however often they are read and whatever was killed before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import polars as pl
from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, delete, select, update

from cohort_db.mimic_staging import SourceCount, StagedRows, slice_numbers
from cohort_db.polars_query import polars_of
from cohort_db.schema import event_interval, measurement
from cohort_db.store import insert_frame

# MIMIC numbers laboratory items below, bedside items above.
FIRST_CHART_ITEM = 200_000
_IDS_PER_STATEMENT = 500
T = TypeVar("T")
# Which rows of a table came from a source.
_ROWS_OF: dict[str, tuple[Table, ColumnElement[bool]]] = {
    "labevents": (measurement, measurement.c.itemid < FIRST_CHART_ITEM),
    "chartevents": (measurement, measurement.c.itemid >= FIRST_CHART_ITEM),
    "inputevents": (event_interval, event_interval.c.kind == "drug"),
    "procedureevents": (event_interval, event_interval.c.kind == "procedure"),
    "transfers": (event_interval, event_interval.c.kind == "transfer"),
}


@dataclass(frozen=True)
class Difference:
    """What must happen to the stored rows so that they are the source's: `new` and `changed` as wanted, `gone` as held.

    No two of the frames share a primary key.
    """

    table: Table
    new: pl.DataFrame
    changed: pl.DataFrame
    gone: pl.DataFrame

    def first_of(self, name: str, among: Iterable[int]) -> int | None:
        """Return the smallest value of the column `name`, among the given ones, that any differing row has."""
        columns = [frame.select(name) for frame in (self.new, self.changed, self.gone)]
        found = pl.concat(columns).filter(pl.col(name).is_in(list(among)))[name].min()
        return int(found) if isinstance(found, int) else None

    def write(self, conn: Connection) -> int:
        """The wanted rows are stored; returns how many are new. What is gone is still there, see `remove`."""
        if len(self.changed):
            key = [column.name for column in self.table.primary_key.columns]
            rest = [name for name in self.changed.columns if name not in key]
            is_row = and_(*(self.table.c[name] == bindparam(f"of_{name}") for name in key))
            change = update(self.table).where(is_row).values({name: bindparam(f"new_{name}") for name in rest})
            prefixes = {name: f"of_{name}" if name in key else f"new_{name}" for name in self.changed.columns}
            conn.execute(change, self.changed.rename(prefixes).to_dicts())
        return insert_frame(conn, self.table, self.new)

    def remove(self, conn: Connection) -> None:
        """The rows that are gone are gone; nothing may refer to them."""
        if len(self.gone):
            key = [column.name for column in self.table.primary_key.columns]
            is_row = and_(*(self.table.c[name] == bindparam(f"of_{name}") for name in key))
            keys = self.gone.select(key).rename({name: f"of_{name}" for name in key})
            conn.execute(delete(self.table).where(is_row), keys.to_dicts())


def difference(table: Table, stored: pl.DataFrame, wanted: pl.DataFrame) -> Difference:
    """Return what `wanted` changes of `stored`; columns that `wanted` lacks are not compared."""
    key = [column.name for column in table.primary_key.columns]
    held = stored.select(name for name in stored.columns if name in wanted.columns)
    wanted = wanted.select(pl.col(name).cast(dtype) for name, dtype in held.schema.items())
    unequal = wanted.join(held, on=held.columns, how="anti", nulls_equal=True)
    return Difference(
        table,
        new=unequal.join(held, on=key, how="anti"),
        changed=unequal.join(held, on=key, how="semi"),
        gone=held.join(wanted, on=key, how="anti"),
    )


class SourceRows:
    """The rows of one big source, settled and waiting on disk by slices of stays.

    Args:
        source: a file such as "labevents".
        staged: what was read of it; its count is complete afterwards.
        stays: all stays of the folder; those without a row are compared as well.
        folder: where the rows wait; the caller removes it.
    """

    def __init__(self, source: str, staged: StagedRows, stays: pl.DataFrame, folder: Path) -> None:
        self.table, self._own = _ROWS_OF[source]
        self.count: SourceCount = staged.count
        numbered = slice_numbers(stays.select("stay_id"))
        self._stays: dict[int, list[int]] = {}
        for stay_id, number in numbered.iter_rows():
            self._stays.setdefault(number, []).append(stay_id)
        slice_of = dict(numbered.iter_rows())
        self._files: dict[int, Path] = {}
        for part in staged.slices():
            number = slice_of[part["stay_id"][0]]
            self._files[number] = folder / f"settled-{number:05d}.parquet"
            part.write_parquet(self._files[number])

    @property
    def slices(self) -> list[int]:
        """Numbers of the slices, in order."""
        return list(self._stays)

    def difference_in(self, conn: Connection, number: int, among: set[int] | None = None) -> Difference:
        """Return what the source changes in one slice, in all its stays or in those given."""
        ids = [stay_id for stay_id in self._stays[number] if among is None or stay_id in among]
        stored = polars_of(conn, select(self.table).where(self.table.c.stay_id.in_(ids), self._own))
        wanted = pl.read_parquet(self._files[number]) if number in self._files else stored.clear()
        return difference(self.table, stored, wanted.filter(pl.col("stay_id").is_in(ids)))


def delete_of(conn: Connection, table: Table, name: str, ids: list[T]) -> None:
    """No row of `table` has one of the ids in the column `name`."""
    for some in portions(ids):
        conn.execute(delete(table).where(table.c[name].in_(some)))


def portions(ids: list[T]) -> Iterator[list[T]]:
    """Yield the ids, as many at a time as fit into one statement."""
    for start in range(0, len(ids), _IDS_PER_STATEMENT):
        yield ids[start : start + _IDS_PER_STATEMENT]
