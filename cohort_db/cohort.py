"""In: stays, admissions and ECG records of the store. Out: who is predicted for, from when, with which outcome and ECG.

Rules are applied one after the other, and every stay that is left out is counted under the first rule that does it.
Nothing may depend on what comes after t0 except the outcome itself, so there is no upper limit on a stay's length.
Death in the ICU ends a stay; before the cut it is label 0, marked `died_before_cut`: a competing outcome, no success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl
from sqlalchemy import Connection, select

from cohort_db.errors import InputMistake
from cohort_db.polars_query import polars_of
from cohort_db.schema import admission, ecg_record, stay

HOURS_BEYOND_LANDMARK = 24
ECG_LINKS = ("last", "first")
_CUT_MUST = "a label that is nearly known at the landmark says nothing"


@dataclass(frozen=True)
class CohortRules:
    """Which stays become samples, when the prediction is made, and what is predicted."""

    task: str = "los"
    """Name of the task: lower-case letters, digits and _; the first part of each sample_id."""
    min_age: int = 18
    """Youngest age at ICU admission that stays in, in years."""
    first_stay: bool = True
    """Only the first ICU stay that a patient has in the data: later rows of one patient are correlated."""
    t0_hours: float = 24.0
    """Hours from ICU admission to t0, the moment of the prediction."""
    cut_days: float = 3.0
    """A stay longer than this many days from ICU admission has label 1; at least 24 h beyond t0."""
    ecg_window_hours: float = 24.0
    """The linked ECG was recorded from this many hours before ICU admission up to t0."""
    ecg_link: str = "last"
    """Which of the readable ECGs in that window is linked: the last one, or the first."""
    paired: bool = False
    """Only stays with a linked ECG."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,19}", self.task):
            raise InputMistake(f"a task must be up to 20 of a-z, 0-9 and _, however: {self.task!r}")
        if self.ecg_link not in ECG_LINKS:
            raise InputMistake(f"ecg_link must be one of {', '.join(ECG_LINKS)}, however: {self.ecg_link!r}")
        if self.min_age < 0 or self.t0_hours <= 0 or self.ecg_window_hours < 0:
            raise InputMistake(
                "age and ECG window must not be negative and t0 must be positive, however: "
                f"{self.min_age=}, {self.t0_hours=}, {self.ecg_window_hours=}"
            )
        if self.cut_days * 24 < self.t0_hours + HOURS_BEYOND_LANDMARK:
            raise InputMistake(
                f"the cut must lie at least {HOURS_BEYOND_LANDMARK} h beyond t0 ({_CUT_MUST}), however: "
                f"{self.cut_days=}, {self.t0_hours=}"
            )

    @property
    def t0_s(self) -> int:
        """Seconds from ICU admission to t0."""
        return round(self.t0_hours * 3600)

    @property
    def cut_s(self) -> int:
        """Seconds from ICU admission to the cut."""
        return round(self.cut_days * 86_400)


@dataclass(frozen=True)
class Cohort:
    """The rows of the tables `sample`, `attrition` and `exclusion` for one task."""

    samples: pl.DataFrame
    attrition: pl.DataFrame
    exclusions: pl.DataFrame


def build(conn: Connection, rules: CohortRules) -> Cohort:
    """Return the cohort of every stay in the store; nothing is written."""
    of_admission = (admission.c.hadm_id, admission.c.subject_id, admission.c.admittime, admission.c.dischtime)
    of_record = (ecg_record.c.study_id, ecg_record.c.subject_id, ecg_record.c.ecg_time)
    records = polars_of(conn, select(*of_record).where(ecg_record.c.readable))
    stays = polars_of(conn, select(stay))
    return apply_rules(link_ecgs(stays, polars_of(conn, select(*of_admission)), records, rules), rules)


def link_ecgs(stays: pl.DataFrame, admissions: pl.DataFrame, records: pl.DataFrame, rules: CohortRules) -> pl.DataFrame:
    """Return the stays with study_id and ecg_offset_s of the linked ECG, NULL where there is none.

    It is the last readable record in [intime - window, t0], or the first (see `CohortRules.ecg_link`), that lies in the
    stay's own admission or in none: one that lies in [admittime, dischtime] of another admission only is left to that
    one. Records of the emergency department, before admittime, lie in none. Whether a record is good enough for a model
    is found later and changes no link.
    """
    window_s = round(rules.ecg_window_hours * 3600)
    offset = (pl.col("ecg_time") - pl.col("intime")).dt.total_seconds()
    near = (
        stays.select("stay_id", "subject_id", "hadm_id", "intime")
        .join(records.select("subject_id", "study_id", "ecg_time"), on="subject_id")
        .with_columns(offset.alias("ecg_offset_s"))
        .filter(pl.col("ecg_offset_s").is_between(-window_s, rules.t0_s))
    )
    during = near.join(admissions.rename({"hadm_id": "in_hadm_id"}), on="subject_id").filter(
        (pl.col("ecg_time") >= pl.col("admittime")) & (pl.col("ecg_time") <= pl.col("dischtime")).fill_null(True)
    )
    own = during.filter(pl.col("in_hadm_id") == pl.col("hadm_id"))
    elsewhere = during.join(own, on=["stay_id", "study_id"], how="anti")
    allowed = near.join(elsewhere, on=["stay_id", "study_id"], how="anti")
    keep: Literal["first", "last"] = "first" if rules.ecg_link == "first" else "last"
    linked = allowed.sort("ecg_time", "study_id").unique("stay_id", keep=keep, maintain_order=True)
    return stays.join(linked.select("stay_id", "study_id", "ecg_offset_s"), on="stay_id", how="left")


def apply_rules(stays: pl.DataFrame, rules: CohortRules) -> Cohort:
    """Return samples, the count after every rule, and for each stay left out the first rule that did it.

    Args:
        stays: the table `stay` with study_id and ecg_offset_s.
    """
    left = stays.sort("subject_id", "intime", "stay_id").with_columns(
        pl.int_range(pl.len()).over("subject_id").alias("earlier_stays")
    )
    rows = [("all", "All ICU stays", len(left), 0, len(left))]
    out = [pl.DataFrame(schema={"stay_id": pl.Int64, "rule": pl.String})]
    for name, sentence, condition in _conditions(rules):
        keep = left.filter(condition.fill_null(False))
        gone = left.join(keep, on="stay_id", how="anti")
        rows.append((name, sentence, len(left), len(gone), len(keep)))
        out.append(gone.select("stay_id", pl.lit(name).alias("rule")))
        left = keep
    attrition = pl.DataFrame(rows, schema=["rule", "label", "n_before", "n_left_out", "n_after"], orient="row")
    task = pl.lit(rules.task).alias("task")
    return Cohort(
        samples=_samples(left, rules),
        attrition=attrition.with_row_index("step").select(task, pl.all()).cast({"step": pl.Int64}),
        exclusions=pl.concat(out).select(task, "stay_id", "rule").sort("stay_id"),
    )


def _conditions(rules: CohortRules) -> list[tuple[str, str, pl.Expr]]:
    """Return (name, sentence, condition to stay in) in the order of application."""
    los_s = (pl.col("outtime") - pl.col("intime")).dt.total_seconds()
    alive_at_t0 = pl.col("death_offset_s").is_null() | (pl.col("death_offset_s") > rules.t0_s)
    found = [
        ("adult", f"At least {rules.min_age} years old at ICU admission", pl.col("age_years") >= rules.min_age),
        ("first_stay", "The patient's first ICU stay in the data", pl.col("earlier_stays") == 0),
        ("outtime_known", "ICU discharge time known, and after admission", los_s > 0),
        ("in_icu_at_t0", f"Still in the ICU {rules.t0_hours:g} h after admission", (los_s > rules.t0_s) & alive_at_t0),
        (
            "paired",
            f"A readable ECG from {rules.ecg_window_hours:g} h before ICU admission to {rules.t0_hours:g} h after",
            pl.col("study_id").is_not_null(),
        ),
    ]
    switched_off = {"first_stay": not rules.first_stay, "paired": not rules.paired}
    return [condition for condition in found if not switched_off.get(condition[0], False)]


def _samples(stays: pl.DataFrame, rules: CohortRules) -> pl.DataFrame:
    """Return the rows of `sample` for the stays that are left."""
    died_before_cut = (pl.col("death_offset_s") <= rules.cut_s).fill_null(False)
    beyond_cut = (pl.col("outtime") - pl.col("intime")).dt.total_seconds() > rules.cut_s
    return stays.select(
        pl.format(f"{rules.task}-{{}}", "stay_id").alias("sample_id"),
        pl.lit(rules.task).alias("task"),
        "subject_id",
        "stay_id",
        (pl.col("intime") + pl.duration(seconds=rules.t0_s)).alias("t0"),
        pl.lit(rules.t0_s, dtype=pl.Int64).alias("t0_offset_s"),
        (beyond_cut & ~died_before_cut).cast(pl.Int64).alias("label"),
        pl.col("los_hours").alias("outcome_hours"),
        died_before_cut.alias("died_before_cut"),
        "study_id",
        "ecg_offset_s",
    ).sort("sample_id")
