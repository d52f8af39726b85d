"""A folder that `lemof benchmark` wrote comes in; its numbers as frames go out, or why they cannot be read.

One folder per table holds results.csv, differences.csv, cells.csv and about.json. Those that ship with the project lie
in `assets/benchmark`, a user's own beside the store. A folder that is not there is normal: nothing was measured yet.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cohort_db.errors import InputMistake

SHIPPED = Path(__file__).resolve().parents[1] / "assets" / "benchmark"
BY_ECG = ("with ECG", "without ECG")  # strata that every table has beside "all"
TABLES = ("table1", "table2", "table3", "ablation", "sensitivity", "leak")
CELL = ("ecg_encoder", "ehr_encoder", "fusion", "variant", "arm", "fitting", "seed")
_NUMBER = (*CELL, "stratum", "metric")
_COUNTS, _ESTIMATE = ("n", "events"), ("value", "lo", "hi")
# file -> (what names a row, counts, other numbers); `seed` is whole like a count
_FILES = {
    "results.csv": (_NUMBER, _COUNTS, _ESTIMATE),
    "differences.csv": ((*_NUMBER, "against"), ("n",), _ESTIMATE),
    "cells.csv": (CELL, (), ("seconds", "n_parameters", "epochs")),
}


@dataclass(frozen=True)
class About:
    """Where the numbers of a folder come from.

    Attributes:
        n_by_split: samples of each split.
        not_estimable: what of which models could not be fitted, and why.
        p_x: AUROC of the generator's own probability; practical_limit: of boosting on the true parameters and the
            record. None where there is no truth.
    """

    command: str
    created_at: str
    code_version: str
    synthetic: bool
    surrogate_ecg: bool
    n_by_split: dict[str, int]
    notes: tuple[str, ...]
    not_estimable: tuple[str, ...]
    p_x: float | None
    practical_limit: float | None


@dataclass(frozen=True)
class Measured:
    """What one benchmark measured.

    Attributes:
        results: the columns of `CELL`, stratum, metric, n, events, value, lo, hi (NaN: not estimable).
        differences: the columns of `CELL` of a rival, stratum, metric, against, n, value (LeMoF minus rival), lo, hi.
        cells: the columns of `CELL`, seconds, n_parameters, epochs (NaN where it has none).
        Keys are texts ("" where one has no meaning), `seed` is an int.
    """

    results: pd.DataFrame
    differences: pd.DataFrame
    cells: pd.DataFrame
    about: About


def read_measured(folder: Path) -> Measured | None:
    """Read the folder of one table; None where it holds no results.csv yet.

    Raises: InputMistake that names the file and what is wrong with it.
    """
    if not (folder / "results.csv").is_file():
        return None
    frames = {name: _frame(folder / name) for name in _FILES}
    return Measured(frames["results.csv"], frames["differences.csv"], frames["cells.csv"], _about(folder))


def signature(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes when a file of the folder does: name, time of change (ns), size (bytes)."""
    names = [folder / name for name in (*_FILES, "about.json")]
    states = [(file.name, file.stat()) for file in names if file.is_file()]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _frame(file: Path) -> pd.DataFrame:
    """The table of a file in its columns' types; an absent one has no rows: the benchmark is not through yet."""
    keys, counts, numbers = _FILES[file.name]
    columns = [*keys, *counts, *numbers]
    if not file.is_file():
        return pd.DataFrame(columns=columns)
    try:
        found = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputMistake(f"{_shown(file)} is no table that can be read: {error}") from None
    missing = [name for name in columns if name not in found]
    if missing:
        raise InputMistake(f"{_shown(file)} lacks the columns {', '.join(missing)}")
    found = found[columns]
    for name in ("seed", *counts, *numbers):
        found[name] = _numbers(found[name], file)
    whole = found[["seed", *counts]]
    if found["seed"].isna().any() or ((whole % 1).fillna(0) != 0).any(axis=None):
        raise InputMistake(f"{_shown(file)} holds a seed or a count that is no whole number")
    found["seed"] = found["seed"].astype(int)
    twice = found[found.duplicated(list(keys))]
    if len(twice):
        row = ", ".join(str(value) for value in twice.iloc[0][list(keys)] if str(value))
        raise InputMistake(f"{_shown(file)} holds two rows of the same key: {row}")
    return found.reset_index(drop=True)


def _numbers(texts: pd.Series, file: Path) -> pd.Series:
    """The texts as floats; an empty one is NaN, anything else that is no finite number a mistake."""
    values = pd.to_numeric(texts, errors="coerce").astype(float)
    wrong = texts[(texts.str.strip() != "") & ~np.isfinite(values)]
    if len(wrong):
        raise InputMistake(f"{_shown(file)}, line {wrong.index[0] + 2}: {wrong.iloc[0]!r} is no {texts.name}")
    return values


def _about(folder: Path) -> About:
    file = folder / "about.json"
    if not file.is_file():
        raise InputMistake(f"{_shown(file)} is missing: numbers without their source are not shown")
    try:
        return _parsed(json.loads(file.read_text(encoding="utf-8")))
    except KeyError as missing:
        raise InputMistake(f"{_shown(file)} lacks {missing}") from None
    except (AttributeError, TypeError, ValueError) as error:
        raise InputMistake(f"{_shown(file)} cannot be read: {error}") from None


def _parsed(found: dict[str, Any]) -> About:
    p_x, limit = found["p_x_auroc"], found["practical_limit_auroc"]
    return About(
        command=str(found["command"]),
        created_at=str(found["created_at"]),
        code_version=str(found["code_version"]),
        synthetic=bool(found["synthetic"]),
        surrogate_ecg=bool(found.get("surrogate_ecg", False)),  # files of an older program do not say it
        n_by_split={str(split): _count(n) for split, n in found["n_by_split"].items()},
        notes=tuple(str(note) for note in found["notes"]),
        not_estimable=tuple(str(line) for line in found.get("not_estimable", ())),  # files of 2026-11 have none
        p_x=None if p_x is None else float(p_x["value"]),
        practical_limit=None if limit is None else float(limit),
    )


def _count(n: Any) -> int:
    """The samples of a split, given as a number or, as runs do, among other counts."""
    return int(n["n"] if isinstance(n, dict) else n)


def _shown(file: Path) -> str:
    """Folder and file, without the way there."""
    return f"{file.parent.name}/{file.name}"
