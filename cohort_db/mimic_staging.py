"""In: batches of judged rows. Out: the same rows by slices of stays, each free of repeats and small enough for memory.

Batches come in file order, while one stay's rows may lie anywhere in a file: they wait on disk until all are known. So
a file that breaks off half-way is noticed before the first row reaches the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

STAYS_PER_SLICE = 2_000


@dataclass
class SourceCount:
    """What became of the rows of one file: read = kept + sum of dropped (by reason).

    `noted` counts oddities among the kept. Only a transfer is kept more than once, which `noted` then says.
    """

    source: str
    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    noted: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, n: int) -> None:
        """n more rows are dropped for a reason; a reason that never happens is not listed."""
        if n:
            self.dropped[reason] = self.dropped.get(reason, 0) + n

    def note(self, what: str, n: int) -> None:
        """n more rows are kept that a reader should know of."""
        if n:
            self.noted[what] = self.noted.get(what, 0) + n

    def keep_if(self, frame: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
        """Return the rows that meet the condition; the others, and those for which it is NULL, are dropped."""
        kept = frame.filter(condition)
        self.drop(reason, len(frame) - len(kept))
        return kept


class StagedRows:
    """Rows waiting on disk.

    Args:
        folder: an empty folder; the caller removes it.
        key: primary key of the table the rows are for.
        last_by: of rows with one key the last in this order is kept, NULL coming first.
        count: gets `kept` and the reason "repeated".
    """

    def __init__(self, folder: Path, key: list[str], last_by: list[str], count: SourceCount) -> None:
        self.count = count
        self._folder = folder
        self._key = key
        self._last_by = last_by
        self._parts: dict[int, list[Path]] = {}

    def add(self, frame: pl.DataFrame) -> None:
        """The rows wait in the slice that their column `slice` names."""
        for (number,), part in frame.partition_by("slice", as_dict=True, include_key=False).items():
            waiting = self._parts.setdefault(int(number), [])
            waiting.append(self._folder / f"slice-{number:05d}-{len(waiting):05d}.parquet")
            part.write_parquet(waiting[-1])

    def __len__(self) -> int:
        """Number of slices."""
        return len(self._parts)

    def slices(self) -> Iterator[pl.DataFrame]:
        """Yield the rows slice by slice, sorted by key and without repeats; may be called once."""
        for number in sorted(self._parts):
            rows = pl.concat([pl.read_parquet(part) for part in self._parts[number]])
            last = rows.sort(*self._last_by, nulls_last=False).unique(self._key, keep="last", maintain_order=True)
            self.count.drop("repeated", len(rows) - len(last))
            self.count.kept += len(last)
            yield last.sort(*self._key)


def slice_numbers(stays: pl.DataFrame) -> pl.DataFrame:
    """Return the stays with a column `slice`, neighbours in the given order sharing one."""
    return stays.with_row_index("row").with_columns((pl.col("row") // STAYS_PER_SLICE).alias("slice")).drop("row")
