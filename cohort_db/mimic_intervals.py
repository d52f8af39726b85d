"""In: inputevents, procedureevents, transfers. Out: what was given, done, and where the patient lay, as intervals.

An interval belongs to a stay when it overlaps [intime - 24 h, outtime]. One order may hold several items (a drug and
what it is dissolved in) that start together, hence `source_id` is "orderid-itemid". Amounts and ends are known only
when an interval is over: they are for people to see, and no model may read them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from cohort_db.mimic_iv import MimicFolder, item_labels, moment, number, seconds, whole
from cohort_db.mimic_measurements import chart_windows
from cohort_db.mimic_staging import SourceCount, StagedRows

TABLE_OF = {"inputevents": "icu/inputevents", "procedureevents": "icu/procedureevents", "transfers": "hosp/transfers"}
_KEY = ["stay_id", "kind", "start_s", "source_id"]
_TEXT_WIDTH = 40


def stage_intervals(
    folder: MimicFolder, source: str, stays: pl.DataFrame, scratch: Path, *, read: Callable[[int], None]
) -> StagedRows:
    """Return the intervals of one source, waiting in `scratch`; columns as in the table `event_interval`.

    Args:
        source: "inputevents" (kind drug), "procedureevents" (kind procedure) or "transfers" (kind transfer).
        stays: as `mimic_iv.stays` returns them.
        read: told the number of rows read so far.
    """
    count = SourceCount(source)
    staged = StagedRows(scratch, _KEY, ["end_s", "amount"], count)
    windows = chart_windows(stays)
    labels = item_labels(folder)
    for batch in folder.batches(TABLE_OF[source]):
        count.read += len(batch)
        if source == "transfers":
            staged.add(_transfers(batch, stays, windows, count))
        else:
            staged.add(_events(batch, source, windows, labels, count))
        read(count.read)
    return staged


def _events(
    batch: pl.DataFrame, source: str, windows: pl.DataFrame, labels: pl.DataFrame, count: SourceCount
) -> pl.DataFrame:
    """Return drugs or procedures with their item's label."""
    is_drug = source == "inputevents"
    rows = batch.with_columns(
        whole("stay_id").alias("place"), whole("itemid"), whole("orderid"), moment("starttime"), moment("endtime")
    ).drop("stay_id")
    readable = pl.all_horizontal(pl.col("itemid", "orderid", "starttime").is_not_null())
    rows = count.keep_if(rows, readable, "unreadable time, item or order")
    found = rows.join(windows, on="place").join(labels, on="itemid", how="left")
    inside = _overlapping(found, "starttime", "endtime")
    count.drop("outside every stay's window", len(rows) - len(inside))
    nothing = pl.lit(None, dtype=pl.Float64)
    return inside.select(
        "stay_id",
        pl.lit("drug" if is_drug else "procedure").alias("kind"),
        seconds("starttime").alias("start_s"),
        pl.format("{}-{}", "orderid", "itemid").alias("source_id"),
        "itemid",
        pl.coalesce("label", pl.format("item {}", "itemid")).str.head(160).alias("label"),
        seconds("endtime").alias("end_s"),
        number("amount" if is_drug else "value").alias("amount"),
        pl.col("amountuom" if is_drug else "valueuom").str.head(_TEXT_WIDTH).alias("amount_unit"),
        (number("rate") if is_drug else nothing).alias("rate"),
        (pl.col("rateuom") if is_drug else nothing.cast(pl.String)).str.head(_TEXT_WIDTH).alias("rate_unit"),
        "slice",
    )


def _transfers(batch: pl.DataFrame, stays: pl.DataFrame, windows: pl.DataFrame, count: SourceCount) -> pl.DataFrame:
    """Return the care units of a stay's admission, once for each stay they overlap."""
    rows = batch.select(
        whole("hadm_id"),
        whole("transfer_id"),
        pl.col("careunit").str.strip_chars(),
        moment("intime").alias("starttime"),
        moment("outtime").alias("endtime"),
    )
    rows = count.keep_if(rows, pl.col("careunit").is_not_null(), "no care unit (discharge)")
    readable = pl.all_horizontal(pl.col("transfer_id", "starttime").is_not_null())
    rows = count.keep_if(rows, readable, "unreadable time or transfer")
    of_admission = windows.join(stays.select("stay_id", "hadm_id"), on="stay_id")
    inside = _overlapping(rows.join(of_admission, on="hadm_id"), "starttime", "endtime")
    count.drop("outside every stay's window", len(rows) - inside["transfer_id"].n_unique())
    count.note("kept once more for another stay of the admission", len(inside) - inside["transfer_id"].n_unique())
    return inside.select(
        "stay_id",
        pl.lit("transfer").alias("kind"),
        seconds("starttime").alias("start_s"),
        pl.col("transfer_id").cast(pl.String).alias("source_id"),
        pl.lit(None, dtype=pl.Int64).alias("itemid"),
        pl.col("careunit").str.head(160).alias("label"),
        seconds("endtime").alias("end_s"),
        pl.lit(None, dtype=pl.Float64).alias("amount"),
        pl.lit(None, dtype=pl.String).alias("amount_unit"),
        pl.lit(None, dtype=pl.Float64).alias("rate"),
        pl.lit(None, dtype=pl.String).alias("rate_unit"),
        "slice",
    )


def _overlapping(rows: pl.DataFrame, begins: str, ends: str) -> pl.DataFrame:
    """Return the rows that overlap [start, end]; one that has not ended reaches into everything later."""
    ended_before = (pl.col(ends) < pl.col("start")).fill_null(False)
    return rows.filter((pl.col(begins) <= pl.col("end")) & ~ended_before)
