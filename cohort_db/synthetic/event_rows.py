"""In: a batch of stays. Out: its drugs (inputevents) and ventilation (procedureevents), as intervals.

Who gets what follows the hidden severity; given u and e, nothing here tells anything more about the outcome.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import expit

from cohort_db.synthetic.item_dictionary import CEFEPIME, INVASIVE_VENTILATION, NOREPINEPHRINE, PROPOFOL, VANCOMYCIN
from cohort_db.synthetic.patients import BoolArray, IntArray
from cohort_db.synthetic.stays import StayBatch

_DOSE_INTERVAL_MINUTES, _MOST_DOSES, _DOSE_MINUTES = 12 * 60, 6, 60


def event_rows(batch: StayBatch, first_order: int, rng: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Rows of inputevents and procedureevents by table; orders are numbered from `first_order`."""
    latent = batch.patients.latents
    ventilated = rng.random(batch.n) < expit(-1.3 + 1.1 * latent["severity"] + 0.6 * latent["pneumonia"])
    inputs = _input_rows(batch, ventilated, first_order, rng)
    return {
        "icu/inputevents": inputs,
        "icu/procedureevents": _procedure_rows(batch, ventilated, first_order + inputs.height, rng),
    }


def _input_rows(batch: StayBatch, ventilated: BoolArray, first_order: int, rng: np.random.Generator) -> pl.DataFrame:
    """Norepinephrine and propofol drips, vancomycin and cefepime doses."""
    latent = batch.patients.latents
    pressor = rng.random(batch.n) < expit(-2.0 + 1.1 * latent["severity"] + 0.7 * latent["sepsis"])
    sedated = ventilated & (rng.random(batch.n) < 0.85)
    infected = rng.random(batch.n) < expit(-0.8 + 0.9 * latent["sepsis"] + 0.8 * latent["pneumonia"])
    frames = [
        _drips(batch, pressor, NOREPINEPHRINE, (0.03, 0.3), rng),
        _drips(batch, sedated, PROPOFOL, (10.0, 50.0), rng),
        _doses(batch, infected, VANCOMYCIN, rng),
        _doses(batch, infected & (rng.random(batch.n) < 0.6), CEFEPIME, rng),
    ]
    rows = _with_ids(pl.concat(frames), batch)
    order = first_order + np.arange(rows.height)
    return rows.with_columns(
        pl.Series("orderid", order),
        pl.Series("linkorderid", order),
        pl.lit("Main order parameter").alias("ordercomponenttypedescription"),
        pl.lit("02-Fluids (Crystalloids)").alias("secondaryordercategoryname"),
        pl.lit(0).alias("isopenbag"),
        pl.lit(0).alias("continueinnextdept"),
    )


def _procedure_rows(
    batch: StayBatch, ventilated: BoolArray, first_order: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Invasive ventilation from early in the stay, stored when it ends."""
    row = np.flatnonzero(ventilated)
    start = rng.integers(5, 240, len(row))
    length = np.round(60 * np.exp(np.log(30) + 0.7 * rng.standard_normal(len(row)))).astype(np.int64)
    end = np.minimum(start + length, batch.los_minutes[row] - 1)
    keep = end > start
    row, start, end = row[keep], start[keep], end[keep]
    minutes = (end - start).astype(np.float64)
    frame = pl.DataFrame(
        {
            "row": row,
            "start": start,
            "end": end,
            "stored": end + rng.integers(1, 60, len(row)),
            "itemid": np.full(len(row), INVASIVE_VENTILATION),
            "value": minutes,
            "ORIGINALAMOUNT": minutes,
        }
    )
    rows = _with_ids(frame, batch)
    order = first_order + np.arange(rows.height)
    return rows.with_columns(
        pl.lit("min").alias("valueuom"),
        pl.Series("orderid", order),
        pl.Series("linkorderid", order),
        pl.lit("Ventilation").alias("ordercategoryname"),
        pl.lit("ContinuousProcess").alias("ordercategorydescription"),
        pl.lit(1).alias("isopenbag"),
        pl.lit(0).alias("continueinnextdept"),
        pl.lit("FinishedRunning").alias("statusdescription"),
        pl.lit(1).alias("ORIGINALRATE"),
    )


def _drips(
    batch: StayBatch, given: BoolArray, itemid: int, rates: tuple[float, float], rng: np.random.Generator
) -> pl.DataFrame:
    """One to two intervals of a continuous infusion, the second at another rate; rates in mcg/kg/min."""
    first = np.flatnonzero(given)
    again = first[rng.random(len(first)) < 0.5]
    start = rng.integers(20, 18 * 60, len(first))
    end = start + rng.integers(60, 14 * 60, len(first))
    position = np.searchsorted(first, again)
    row = np.concatenate([first, again])
    starts = np.concatenate([start, end[position]])
    ends = np.concatenate([end, end[position] + rng.integers(60, 20 * 60, len(again))])
    rate = np.round(rng.uniform(*rates, len(row)), 3)
    ends = np.minimum(ends, batch.los_minutes[row] - 1)
    amount_mg = np.round(rate * batch.patients.weight_kg[row] * (ends - starts) / 1000, 3)
    frame = _frame(row, starts, ends, itemid, amount_mg, "mg").with_columns(
        pl.Series("rate", rate),
        pl.lit("mcg/kg/min").alias("rateuom"),
        pl.lit("01-Drips").alias("ordercategoryname"),
        pl.lit("Continuous Med").alias("ordercategorydescription"),
    )
    return frame.filter(pl.col("end") > pl.col("start"))


def _doses(batch: StayBatch, given: BoolArray, itemid: int, rng: np.random.Generator) -> pl.DataFrame:
    """A dose every 12 hours for up to three days."""
    patients = np.flatnonzero(given)
    first = rng.integers(20, 10 * 60, len(patients))
    n_doses = rng.integers(2, _MOST_DOSES + 1, len(patients))
    row = np.repeat(patients, n_doses)
    number = np.concatenate([np.arange(k) for k in n_doses]) if len(n_doses) else np.zeros(0, np.int64)
    start = np.repeat(first, n_doses) + number.astype(np.int64) * _DOSE_INTERVAL_MINUTES
    frame = _frame(row, start, start + _DOSE_MINUTES, itemid, np.ones(len(row)), "dose").with_columns(
        pl.lit(None, dtype=pl.Float64).alias("rate"),
        pl.lit(None, dtype=pl.String).alias("rateuom"),
        pl.lit("08-Antibiotics (IV)").alias("ordercategoryname"),
        pl.lit("Drug Push").alias("ordercategorydescription"),
    )
    return frame.filter(pl.Series(start + _DOSE_MINUTES < batch.los_minutes[row]))


def _frame(row: IntArray, start: IntArray, end: IntArray, itemid: int, amount: object, unit: str) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "row": row,
            "start": start,
            "end": end,
            "stored": start + 4,
            "itemid": np.full(len(row), itemid),
            "amount": amount,
        }
    ).with_columns(
        pl.lit(unit).alias("amountuom"),
        pl.col("amount").alias("originalamount"),
        pl.lit("FinishedRunning").alias("statusdescription"),
    )


def _with_ids(frame: pl.DataFrame, batch: StayBatch) -> pl.DataFrame:
    """Ids, weight and times are added; rows are ordered by stay and time."""
    frame = frame.sort("row", "start", "itemid")
    row = frame["row"].to_numpy()
    minute = batch.intime.astype("datetime64[m]").astype("datetime64[us]")[row]
    times = {
        name: minute + (60_000_000 * frame[column].to_numpy()).astype("timedelta64[us]")
        for name, column in (("starttime", "start"), ("endtime", "end"), ("storetime", "stored"))
    }
    return frame.drop("row", "start", "end", "stored").with_columns(
        pl.Series("subject_id", batch.subject_id[row]),
        pl.Series("hadm_id", batch.hadm_id[row]),
        pl.Series("stay_id", batch.stay_id[row]),
        pl.Series("patientweight", batch.patients.weight_kg[row]),
        *(pl.Series(name, values) for name, values in times.items()),
    )
