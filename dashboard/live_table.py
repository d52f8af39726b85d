"""The bytes of an uploaded CSV in, a table of text cells out; no more of it is read than an honest file can have."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cohort_db.errors import InputMistake
from dashboard.live_limits import MOST_COLUMNS, MOST_LINE_BYTES

SEPARATORS = (",", ";", "\t")
# What programs write where there is no number.
GAPS = ("", "na", "nan", "null", "none")


@dataclass(frozen=True)
class Table:
    """names of the columns, as the file has them; cells, text, one column each ("0", "1", ...); decimal: "." or ","."""

    names: tuple[str, ...]
    cells: pl.DataFrame
    decimal: str

    def text(self, column: int) -> pl.Series:
        """Return a column's cells without blanks around them."""
        return self.cells[str(column)].fill_null("").str.strip_chars()

    def numbers(self, column: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return (values, bad) of a column: NaN where there is no number, bad where there is something else instead."""
        text = self.cells[str(column)].fill_null("")
        if self.decimal == ",":
            text = text.str.replace(",", ".", literal=True)
        values = text.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().copy()
        odd = np.flatnonzero(~np.isfinite(values))  # the few cells that are worth a second look
        stripped = text.gather(odd).str.strip_chars()
        values[odd] = stripped.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
        values[~np.isfinite(values)] = np.nan
        bad = np.zeros(len(values), dtype=bool)
        bad[odd] = np.isnan(values[odd]) & ~stripped.str.to_lowercase().is_in(GAPS).to_numpy()
        return values, bad


def read_table(content: bytes, what: str, *, most_rows: int) -> Table:
    """Return the CSV with a header line that `content` is.

    Args:
        what: the file in words, for messages ("the ECG file").
    Raises: InputMistake in one sentence for everything that is no such CSV, or more of one than is taken.
    """
    text = _checked_text(content, what, most_rows)
    first, _, body = text.partition("\n")
    separator = max(SEPARATORS, key=first.count)
    names = tuple(name.strip() for name in next(csv.reader([first.strip("\r")], delimiter=separator), []))
    if not any(names):
        raise InputMistake(f"{what} has no header line that names its columns")
    if len(names) > MOST_COLUMNS:
        raise InputMistake(f"{what} has {len(names)} columns: at most {MOST_COLUMNS} are read")
    second = body.partition("\n")[0]
    columns = [str(number) for number in range(len(names))]
    try:
        cells = pl.read_csv(
            io.BytesIO(body.encode()), has_header=False, new_columns=columns, separator=separator, infer_schema=False,
            schema=dict.fromkeys(columns, pl.String),
        ) if body.strip() else pl.DataFrame(schema=dict.fromkeys(columns, pl.String))  # fmt: skip
    except pl.exceptions.PolarsError:
        raise InputMistake(f"{what} is no table: its lines do not all have the columns of the first") from None
    return Table(names, cells, "," if separator == ";" and "," in second and "." not in second else ".")


def _checked_text(content: bytes, what: str, most_rows: int) -> str:
    if not content.strip():
        raise InputMistake(f"{what} is empty")
    if b"\x00" in content:
        raise InputMistake(f"{what} holds NUL bytes, which no text has: save it as CSV in UTF-8")
    n_rows = content.count(b"\n")
    if n_rows > most_rows:
        raise InputMistake(f"{what} has {n_rows:,} lines: at most {most_rows:,} are read")
    longest = max(map(len, content.split(b"\n")))
    if longest > MOST_LINE_BYTES:
        raise InputMistake(
            f"{what} has a line of {longest // 1024:,} kB: at most {MOST_LINE_BYTES // 1024} kB and {MOST_COLUMNS} "
            "columns are read"
        )
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise InputMistake(f"{what} is not UTF-8 text: save it as CSV in UTF-8") from None
