"""In: a batch of stays. Out: its rows of chartevents and labevents as data frames, with the dirt of real charts.

Dirt: part of the temperatures in Fahrenheit, arterial instead of cuff pressures, sentinels such as 999999, laboratory
rows without a number, results stored hours after the blood was drawn.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import expit

from cohort_db.synthetic.charting import ChartedPanel, written_values
from cohort_db.synthetic.item_dictionary import HEIGHT_ITEMID, WEIGHT_ITEMID
from cohort_db.synthetic.patients import BoolArray, FloatArray, IntArray
from cohort_db.synthetic.series import (
    ARTERIAL_ITEMIDS,
    FAHRENHEIT_ITEMID,
    GCS_ITEMIDS,
    SERIES,
    Series,
    panel_series,
)
from cohort_db.synthetic.stays import StayBatch

_SENTINEL = 999_999.0
_P_FAHRENHEIT, _P_ARTERIAL_ROW, _P_HEIGHT = 0.5, 0.8, 0.7
_BY_NAME = {series.name: series for series in SERIES}
_GCS_WORDS: dict[str, tuple[str, ...]] = {
    "gcs_eye": ("None", "To Pain", "To Speech", "Spontaneously"),
    "gcs_verbal": ("No Response", "Incomprehensible sounds", "Inappropriate Words", "Confused", "Oriented"),
    "gcs_motor": (
        "No response",
        "Abnormal extension",
        "Abnormal Flexion",
        "Flex-withdraws",
        "Localizes Pain",
        "Obeys Commands",
    ),
}


def chart_rows(batch: StayBatch, rng: np.random.Generator) -> pl.DataFrame:
    """chartevents of a batch, ordered by stay and time."""
    arterial = rng.random(batch.n) < expit(-0.7 + 0.9 * batch.patients.latents["severity"])
    frames = _body_size(batch, rng)
    for charted in batch.charted.values():
        if charted.panel.lab:
            continue
        there = charted.minute < batch.los_minutes[:, None]
        for name, values in written_values(charted, batch.shift).items():
            source = "coma" if name in GCS_ITEMIDS else name
            keep = charted.present[source] & there
            row, column = np.nonzero(keep)
            itemid = np.full(len(row), GCS_ITEMIDS.get(name, _BY_NAME[source].itemid))
            if name in ARTERIAL_ITEMIDS:
                by_line = arterial[row] & (rng.random(len(row)) < _P_ARTERIAL_ROW)
                itemid = np.where(by_line, ARTERIAL_ITEMIDS[name], itemid)
            frame = _rows(charted, row, column, itemid, values[keep])
            frames.append(_written(frame, name, source, charted.spoiled[source][keep], rng))
    return _with_ids(pl.concat(frames), batch).drop("row", "minute", "stored_minute")


def lab_rows(batch: StayBatch, first_id: int, rng: np.random.Generator) -> pl.DataFrame:
    """labevents of a batch, ordered by stay and time, with labevent_id and specimen_id counted from `first_id`."""
    frames: list[pl.DataFrame] = []
    specimens = first_id
    for charted in batch.charted.values():
        if not charted.panel.lab:
            continue
        there = charted.minute < batch.los_minutes[:, None]
        specimen_id = specimens + np.arange(charted.minute.size).reshape(charted.minute.shape)
        specimens += charted.minute.size
        written = written_values(charted, batch.shift)
        for series in panel_series(charted.panel.name):
            keep = charted.present[series.name] & there
            row, column = np.nonzero(keep)
            frame = _rows(charted, row, column, np.full(len(row), series.itemid), written[series.name][keep])
            frame = frame.with_columns(pl.Series("specimen_id", specimen_id[keep]))
            frames.append(_lab_columns(frame, series, charted.spoiled[series.name][keep]))
    rows = _with_ids(pl.concat(frames), batch)
    stat = rng.random(rows.height) < 0.6
    return rows.with_columns(
        pl.Series("labevent_id", first_id + np.arange(rows.height)),
        pl.Series("priority", np.where(stat, "STAT", "ROUTINE")),
    ).drop("row", "minute", "stored_minute", "stay_id")


def _rows(charted: ChartedPanel, row: IntArray, column: IntArray, itemid: IntArray, value: FloatArray) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": row,
            "minute": charted.minute[row, column],
            "stored_minute": charted.stored[row, column],
            "itemid": itemid.astype(np.int64),
            "number": value,
        }
    )


def _written(frame: pl.DataFrame, name: str, source: str, spoiled: BoolArray, rng: np.random.Generator) -> pl.DataFrame:
    """value, valuenum and valueuom of chart rows: words for the coma scale, two temperature units, sentinels."""
    series = _BY_NAME[source]
    unit = np.full(frame.height, series.unit, dtype=object)
    number, itemid = frame["number"].to_numpy().copy(), frame["itemid"].to_numpy().copy()
    if name == "temperature":
        fahrenheit = rng.random(frame.height) < _P_FAHRENHEIT
        number = np.where(fahrenheit, np.round(number * 9 / 5 + 32, 1), number)
        itemid = np.where(fahrenheit, FAHRENHEIT_ITEMID, itemid)
        unit = np.where(fahrenheit, "°F", unit)
    number = np.where(spoiled, _SENTINEL, number)
    decimals = 0 if name in GCS_ITEMIDS else series.decimals
    text = _text(number, decimals)
    words = _GCS_WORDS.get(name)
    value = pl.Series([words[int(k) - 1] for k in number], dtype=pl.String) if words else text
    units = pl.Series(unit.tolist(), dtype=pl.String).replace("", None)
    return frame.select("row", "minute", "stored_minute").with_columns(
        pl.Series("itemid", itemid),
        value.alias("value"),
        text.alias("valuenum"),
        units.alias("valueuom"),
        pl.lit(0, dtype=pl.Int64).alias("warning"),
    )


def _lab_columns(frame: pl.DataFrame, series: Series, spoiled: BoolArray) -> pl.DataFrame:
    """value, unit, reference range and flag of laboratory rows; `spoiled` ones carry a comment and no number."""
    lost = pl.Series("lost", spoiled)
    text = _text(frame["number"].to_numpy(), series.decimals)
    low, high = series.reference or (None, None)
    outside = (pl.col("number") < low) | (pl.col("number") > high) if series.reference else pl.lit(False)
    return frame.with_columns(lost, text.alias("text")).select(
        "row",
        "minute",
        "stored_minute",
        "itemid",
        "specimen_id",
        pl.when("lost").then(pl.lit("___")).otherwise("text").alias("value"),
        pl.when("lost").then(None).otherwise("text").alias("valuenum"),
        pl.lit(series.unit or None, dtype=pl.String).alias("valueuom"),
        pl.lit(low, dtype=pl.Float64).alias("ref_range_lower"),
        pl.lit(high, dtype=pl.Float64).alias("ref_range_upper"),
        pl.when(outside & ~pl.col("lost")).then(pl.lit("abnormal")).otherwise(None).alias("flag"),
        pl.when("lost").then(pl.lit("HEMOLYZED, RESULT NOT REPORTED.")).otherwise(None).alias("comments"),
    )


def _text(number: FloatArray, decimals: int) -> pl.Series:
    """Numbers as a chart shows them: whole ones without a point."""
    series = pl.Series(number)
    return series.cast(pl.Int64).cast(pl.String) if decimals == 0 else series.cast(pl.String)


def _body_size(batch: StayBatch, rng: np.random.Generator) -> list[pl.DataFrame]:
    """Admission weight of everybody, height of most, charted within the first hour."""
    frames = []
    sizes = (
        (WEIGHT_ITEMID, batch.patients.weight_kg, "kg", 1, 1.0),
        (HEIGHT_ITEMID, batch.patients.height_cm, "cm", 0, _P_HEIGHT),
    )
    for itemid, values, unit, decimals, share in sizes:
        row = np.flatnonzero(rng.random(batch.n) < share)
        minute = rng.integers(5, 50, len(row))
        text = _text(values[row], decimals)
        frames.append(
            pl.DataFrame(
                {
                    "row": row,
                    "minute": minute,
                    "stored_minute": minute + 5,
                    "itemid": np.full(len(row), itemid),
                    "value": text,
                    "valuenum": text,
                    "valueuom": [unit] * len(row),
                    "warning": np.zeros(len(row), np.int64),
                }
            )
        )
    return frames


def _with_ids(rows: pl.DataFrame, batch: StayBatch) -> pl.DataFrame:
    """Ids and times are added; rows are ordered by stay, time and item."""
    rows = rows.sort("row", "minute", "itemid", "stored_minute")
    row = rows["row"].to_numpy()
    start = batch.intime.astype("datetime64[m]").astype("datetime64[us]")[row]

    def time(minutes: str) -> IntArray:
        return np.asarray(start + (60_000_000 * rows[minutes].to_numpy()).astype("timedelta64[us]"))

    return rows.with_columns(
        pl.Series("subject_id", batch.subject_id[row]),
        pl.Series("hadm_id", batch.hadm_id[row]),
        pl.Series("stay_id", batch.stay_id[row]),
        pl.Series("charttime", time("minute")),
        pl.Series("storetime", time("stored_minute")),
    )
