"""LeMoF's printed tables, as data files with their source, in; frames and the paper's citation out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import pandas as pd

from dashboard.wording import Definition

FOLDER = Path(__file__).resolve().parents[1] / "assets" / "published"


@cache
def table1() -> pd.DataFrame:
    """Table 1: ecg_encoder, ehr_encoder, fusion, acc, auroc; 20 pairs of encoders by 6 fusions."""
    return pd.read_csv(FOLDER / "lemof_table1.csv")


@cache
def tables_2_3() -> pd.DataFrame:
    """Tables 2 and 3: disease, source (ecg_only, ehr_only, lemof_m1, lemof_m2, lemof), acc, auroc, f1_macro."""
    return pd.read_csv(FOLDER / "lemof_table2_3.csv")


@cache
def source() -> dict[str, Any]:
    """The citation, the printed mean ranks, the oddities of the printed numbers, and what differs from the paper."""
    found: dict[str, Any] = json.loads((FOLDER / "source.json").read_text(encoding="utf-8"))
    return found


def citation() -> str:
    """Authors, title, year."""
    known = source()
    return f"{known['authors']}. {known['title']}. {known['year']}."


def oddities(table: str, metric: str) -> list[str]:
    """What to know before reading the printed numbers of `table1` or `table2_3` in a metric (acc, auroc, f1_macro)."""
    known = source()["oddities"]
    return [str(one["text"]) for one in known if one["table"] == table and metric in one["metrics"]]


def what_differs(defined: Definition) -> pd.DataFrame:
    """One row per topic: topic, paper, here; the hours are those of the store's cohort."""
    rows = pd.DataFrame(source()["differs"])
    words = {"t0": defined.t0, "cut": defined.cut}
    return rows.assign(here=[Template(text).substitute(words) for text in rows["here"]])
