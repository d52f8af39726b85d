"""In: chartevents and labevents. Out: measurements of the catalogue's variables, in their units, on each stay's clock.

A row becomes a measurement when it has a number, a unit that is the variable's or is converted to it, a plausible
value, a readable time, and lies in [intime - 24 h, outtime] of a stay. Every other row is counted under the first
reason that speaks against it. Of two rows of one item at one time, the one stored last counts (it is the correction),
then the one with the larger value.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from cohort_db.mimic_iv import MimicFolder, moment, number, seconds, whole
from cohort_db.mimic_staging import SourceCount, StagedRows, slice_numbers
from cohort_db.variables import canonical_unit, item_rules

HOURS_BEFORE_ICU = 24
TABLE_OF = {"chartevents": "icu/chartevents", "labevents": "hosp/labevents"}
KEY = ["stay_id", "variable_id", "offset_s", "itemid"]
_OPEN_END = pl.datetime(9999, 1, 1)
# "<0.01. CTROPNT > 0.10 NG/ML SUGGESTS ACUTE MI.": a result below what the laboratory can tell, without a valuenum.
_BELOW_LIMIT = r"^\s*<\s*=?\s*(\d+(?:\.\d+)?)"
# Conversions leave noise in the last digits: 98.6 F is 36.99999999999999 C.
_CONVERTED_DECIMALS = 4


def stage_measurements(
    folder: MimicFolder, source: str, stays: pl.DataFrame, scratch: Path, *, read: Callable[[int], None]
) -> StagedRows:
    """Return the measurements of one source, waiting in `scratch`; columns as in the table `measurement`.

    Args:
        source: "chartevents" or "labevents".
        stays: as `mimic_iv.stays` returns them.
        read: told the number of rows read so far.
    """
    count = SourceCount(source)
    staged = StagedRows(scratch, KEY, ["stored_offset_s", "value"], count)
    rules = item_rules(source)
    windows = chart_windows(stays) if source == "chartevents" else lab_windows(stays)
    for batch in folder.batches(TABLE_OF[source]):
        staged.add(_on_stay_clock(_in_variable_unit(batch, rules, count), windows, count))
        read(count.read)
    return staged


def chart_windows(stays: pl.DataFrame) -> pl.DataFrame:
    """Return place (= stay_id), stay_id, intime, start, end, slice: one row per stay."""
    return slice_numbers(stays).select(
        pl.col("stay_id").alias("place"),
        "stay_id",
        "intime",
        pl.col("intime").dt.offset_by(f"-{HOURS_BEFORE_ICU}h").alias("start"),
        pl.col("outtime").fill_null(_OPEN_END).alias("end"),
        "slice",
    )


def lab_windows(stays: pl.DataFrame) -> pl.DataFrame:
    """Return the same columns, with windows that do not overlap within a place: each result has one stay at most.

    A place is an admission, or a patient (written as -subject_id) for results without hadm_id. A result goes to the
    stay that contains it, else to the next stay of its place if that begins within 24 h. Where stays of one place
    overlap, the later begins where it begins.
    """
    numbered = slice_numbers(stays).with_columns(pl.col("outtime").fill_null(_OPEN_END))
    places = [pl.col("hadm_id"), -pl.col("subject_id")]
    both = pl.concat([numbered.with_columns(place.alias("place")) for place in places])
    ordered = both.sort("place", "intime", "stay_id")
    last_out = pl.col("outtime").cum_max().shift(1).over("place").dt.offset_by("1s")
    early = pl.max_horizontal(pl.col("intime").dt.offset_by(f"-{HOURS_BEFORE_ICU}h"), last_out)
    before_next = pl.col("intime").shift(-1).over("place").dt.offset_by("-1s")
    return ordered.select(
        "place",
        "stay_id",
        "intime",
        pl.min_horizontal("intime", early).alias("start"),
        pl.min_horizontal("outtime", before_next).alias("end"),
        "slice",
    )


def _in_variable_unit(batch: pl.DataFrame, rules: pl.DataFrame, count: SourceCount) -> pl.DataFrame:
    """Return the rows of catalogue items with a plausible value in the variable's unit."""
    count.read += len(batch)
    items = rules["itemid"].unique().to_list()
    rows = count.keep_if(batch.with_columns(whole("itemid")), pl.col("itemid").is_in(items), "item not used")
    rows = rows.with_columns(number("valuenum"), canonical_unit(pl.col("valueuom")).alias("unit"))
    if "comments" in rows.columns:
        stated = pl.coalesce(pl.col(name).str.extract(_BELOW_LIMIT) for name in ("value", "comments"))
        limit = pl.when(pl.col("valuenum").is_null()).then(stated.cast(pl.Float64))
        rows = rows.with_columns(limit.is_not_null().alias("below_limit"), pl.coalesce("valuenum", limit))
    rows = count.keep_if(rows, pl.col("valuenum").is_not_null(), "no number")
    rows = rows.join(rules, on=["itemid", "unit"], how="left", maintain_order="left")
    rows = count.keep_if(rows, pl.col("variable_id").is_not_null(), "wrong unit")
    charted = pl.col("valuenum")
    converted = (charted * pl.col("scale") + pl.col("shift")).round(_CONVERTED_DECIMALS)
    value = (
        pl.when(pl.col("fraction") & (charted <= 1))
        .then((charted * 100).round(_CONVERTED_DECIMALS))
        .when((pl.col("scale") == 1) & (pl.col("shift") == 0))
        .then(charted)
        .otherwise(converted)
    )
    rows = rows.with_columns(value.alias("value"))
    return count.keep_if(rows, pl.col("value").is_between("low", "high"), "implausible")


def _on_stay_clock(rows: pl.DataFrame, windows: pl.DataFrame, count: SourceCount) -> pl.DataFrame:
    """Return the rows inside a stay's window, with times in seconds from intime, and their slice."""
    rows = rows.with_columns(moment("charttime"), moment("storetime"))
    rows = count.keep_if(rows, pl.col("charttime").is_not_null(), "unreadable time")
    place = pl.coalesce(whole("hadm_id"), -whole("subject_id")) if "hadm_id" in rows.columns else whole("stay_id")
    found = rows.with_columns(place.alias("place")).drop("stay_id", strict=False).join(windows, on="place")
    inside = found.filter(pl.col("charttime").is_between("start", "end"))
    count.drop("outside every stay's window", len(rows) - len(inside))
    if "below_limit" in inside.columns:
        count.note("below the limit of detection, kept as the limit", int(inside["below_limit"].sum()))
    return inside.select(
        "stay_id",
        "variable_id",
        seconds("charttime").alias("offset_s"),
        "itemid",
        "value",
        seconds("storetime").alias("stored_offset_s"),
        "slice",
    )
