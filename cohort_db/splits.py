"""In: patients with their label. Out: which part of the data each patient belongs to, the same for a seed.

A patient belongs to one part, for good: those who are in the store already keep theirs, new ones fill what is missing.
Only splits.csv can move a patient between test and the rest, and only while no run was fitted.
Each class is dealt by itself, so that parts resemble each other. Meta, cal and test get at least 5 of each class, taken
from train, where train can spare them; where it cannot, shares stay in proportion, and what needs a part that became
too small says "not estimable".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from cohort_db.errors import InputMistake
from cohort_db.mimic_iv import whole

SHARES: Mapping[str, int] = {"train": 50, "val": 8, "meta": 12, "cal": 10, "test": 20}
FLOOR = 5
FLOORED = ("meta", "cal", "test")
SPLITS_FILE = "splits.csv"
_UNKNOWN = -1


def assign_parts(
    labels: pl.DataFrame, *, seed: int, known: pl.DataFrame | None = None, given: Mapping[int, str] | None = None
) -> pl.DataFrame:
    """Return subject_id, split of the patients who had no part yet.

    Args:
        labels: subject_id, label (1, 0 or NULL), one row per sample; a patient counts as 1 if any sample does.
        known: subject_id, split as stored; they are never moved.
        given: as `read_given_parts` returns it. Where the data say who is in test, nobody else comes into it.
    """
    classes = labels.group_by("subject_id").agg(pl.col("label").max().fill_null(_UNKNOWN)).sort("subject_id")
    stored = known if known is not None else pl.DataFrame(schema={"subject_id": pl.Int64, "split": pl.String})
    classes = classes.join(stored, on="subject_id", how="left")
    shares = dict(SHARES)
    if given is not None:
        in_test = pl.col("split").is_null() & pl.col("subject_id").is_in(_given_to(given, "test"))
        told = classes.filter(in_test).select("subject_id", pl.lit("test").alias("split"))
        classes = classes.filter(~in_test & ~(pl.col("split") == "test").fill_null(False))
        del shares["test"]
    else:
        told = classes.clear().select("subject_id", "split")
    dealt = [told]
    for (label,), patients in classes.partition_by("label", as_dict=True, maintain_order=True).items():
        dealt.append(_deal(patients, shares, np.random.default_rng([seed, int(label) + 1]), floored=label != _UNKNOWN))
    return pl.concat(dealt).sort("subject_id")


def misplaced(known: pl.DataFrame, given: Mapping[int, str] | None) -> list[int]:
    """Return the patients whose stored part contradicts splits.csv, in order.

    Args:
        known: subject_id, split as stored.
        given: as `read_given_parts` returns it.
    """
    subject, in_test = pl.col("subject_id"), pl.col("split") == "test"
    told = given or {}
    wrong = (subject.is_in(_given_to(told, "test")) & ~in_test) | (subject.is_in(_given_to(told, "fit")) & in_test)
    return known.filter(wrong)["subject_id"].sort().to_list()


def wanted_counts(n: int, shares: Mapping[str, int], *, floored: bool = True) -> dict[str, int]:
    """Return how many of n patients of one class each part should have; the counts sum to n.

    Largest remainders, then floors at the cost of train, if train keeps at least the floor itself.
    """
    total = sum(shares.values())
    counts = {part: n * share // total for part, share in shares.items()}
    by_remainder = sorted(shares, key=lambda part: (-(n * shares[part] % total), list(shares).index(part)))
    for part in by_remainder[: n - sum(counts.values())]:
        counts[part] += 1
    lacking = {part: max(0, FLOOR - counts[part]) for part in shares if part in FLOORED}
    if floored and counts["train"] - sum(lacking.values()) >= FLOOR:
        for part, n_lacking in lacking.items():
            counts[part] += n_lacking
            counts["train"] -= n_lacking
    return counts


def read_given_parts(folder: Path) -> dict[int, str] | None:
    """Return subject_id -> fit or test as splits.csv in the EHR folder says, or None where there is no such file.

    The file has the columns subject_id and part.
    """
    file = folder / SPLITS_FILE
    if not file.is_file():
        return None
    try:
        frame = pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputMistake(f"{SPLITS_FILE} cannot be read: {str(error).splitlines()[0]}") from None
    for name in ("subject_id", "part"):
        if name not in frame.columns:
            raise InputMistake(f"{SPLITS_FILE} has no column {name}; its columns are {', '.join(frame.columns)}")
    frame = frame.select(whole("subject_id"), pl.col("part").str.strip_chars())
    wrong = frame.filter(~pl.col("part").is_in(["fit", "test"]).fill_null(False) | pl.col("subject_id").is_null())
    if len(wrong):
        raise InputMistake(f"{SPLITS_FILE} must say fit or test for each subject_id, however: {wrong.row(0)}")
    if frame.unique().select(pl.col("subject_id").is_duplicated().any()).item():
        raise InputMistake(f"{SPLITS_FILE} puts a patient into both fit and test")
    return dict(frame.iter_rows())


def _given_to(given: Mapping[int, str], part: str) -> list[int]:
    return [subject_id for subject_id, told in given.items() if told == part]


def _deal(
    patients: pl.DataFrame, shares: Mapping[str, int], rng: np.random.Generator, *, floored: bool
) -> pl.DataFrame:
    """Return subject_id, split of the new patients of one class, each put where most is missing."""
    wanted = wanted_counts(len(patients), shares, floored=floored)
    taken = dict(patients.drop_nulls("split").group_by("split").len().iter_rows())
    missing = {part: wanted[part] - taken.get(part, 0) for part in shares}
    new = patients.filter(pl.col("split").is_null())["subject_id"].to_list()
    parts = []
    for _ in new:
        part = max(shares, key=lambda name: missing[name] / max(wanted[name], 1))
        missing[part] -= 1
        parts.append(part)
    order = rng.permutation(len(new))
    schema = {"subject_id": pl.Int64, "split": pl.String}
    return pl.DataFrame({"subject_id": [new[i] for i in order], "split": parts}, schema=schema)
