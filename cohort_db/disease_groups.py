"""In: ICD-9 and ICD-10 codes. Out: the one of ten disease groups a code belongs to, or none.

The ICD-10 prefixes are those of the ten groups; the ICD-9 prefixes are cut to mean the same (disease_groups.csv says
how). The groups do not overlap, so a code has at most one; a patient may have several. Diagnoses are coded at
discharge: the groups stratify reports and never enter a model.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import polars as pl

GROUPS_FILE = Path(__file__).with_name("disease_groups.csv")


@cache
def disease_groups() -> tuple[str, ...]:
    """Return the names of the ten groups in the order of the file."""
    return tuple(dict.fromkeys(group for group, *_ in _rules()))


def group_expression(icd_version: str = "icd_version", icd_code: str = "icd_code") -> pl.Expr:
    """Return the group of a code, written with or without its point, or null: of columns of a frame."""
    code = pl.col(icd_code).str.replace_all(".", "", literal=True).str.strip_chars().str.to_uppercase()
    names = []
    for group, version, prefixes, exceptions in _rules():
        inside = (pl.col(icd_version) == version) & _starts_with_any(code, prefixes)
        names.append(pl.when(inside & ~_starts_with_any(code, exceptions)).then(pl.lit(group)))
    return pl.coalesce(names)


def _starts_with_any(code: pl.Expr, prefixes: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal([pl.lit(False), *(code.str.starts_with(prefix) for prefix in prefixes)])


@cache
def _rules() -> tuple[tuple[str, int, tuple[str, ...], tuple[str, ...]], ...]:
    """Return (group, ICD version, prefixes, prefixes left out again) in the order of the file."""
    with GROUPS_FILE.open(encoding="utf-8", newline="") as handle:
        return tuple(
            (
                row["disease_group"],
                int(row["icd_version"]),
                tuple(row["prefix"].split()),
                tuple(row["except_prefix"].split()),
            )
            for row in csv.DictReader(handle)
        )
