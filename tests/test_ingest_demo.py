"""The real demo in the store: the measurements that pandas counts from the same files."""

from __future__ import annotations

import pandas as pd
from ingest_support import n_rows, rows_of
from mimic_support import DEMO, needs_demo
from sqlalchemy import func, select
from store_support import MakeStore, make_sqlite

from cohort_db.ingest import ingest
from cohort_db.schema import measurement
from cohort_db.variables import catalogue

__all__ = ["make_sqlite"]


@needs_demo
def test_the_real_demo_holds_the_measurements_that_pandas_counts(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    report = ingest(store, DEMO)
    by_variable = select(measurement.c.variable_id, func.count()).group_by(measurement.c.variable_id)
    found = dict(tuple(row) for row in rows_of(store, by_variable))
    chart, labs = _chart_by_pandas(), _labs_by_pandas()
    together = chart.add(labs, fill_value=0).astype(int)
    assert found == together.to_dict()
    assert [row["n_after"] for row in report.attrition] == [140, 140, 100, 100, 85]
    assert sum(n["n"] for n in report.n_by_split.values()) == report.n_samples == 85
    for part in ("meta", "cal", "test"):
        assert 5 <= report.n_by_split[part]["events"] <= report.n_by_split[part]["n"] - 5
    before = n_rows(store)
    ingest(store, DEMO)
    assert n_rows(store) == before


def _to_variable(rows: pd.DataFrame, source: str) -> pd.DataFrame:
    """Values in the variable's unit, implausible ones dropped; written again without the code under test."""
    rows = rows.copy()
    items = {itemid: v for v in catalogue() for itemid in (v.chart_items if source == "chart" else v.lab_items)}
    rows = rows[rows.itemid.isin(items)].dropna(subset=["valuenum"])
    factor = {226531: 0.45359237, 226707: 2.54}
    rows["value"] = rows.valuenum * rows.itemid.map(factor).fillna(1.0)
    fahrenheit = rows.itemid == 223761
    rows.loc[fahrenheit, "value"] = (rows.valuenum[fahrenheit] - 32) * 5 / 9
    fraction = (rows.itemid == 223835) & (rows.valuenum <= 1)
    rows.loc[fraction, "value"] = rows.valuenum[fraction] * 100
    rows["variable_id"] = rows.itemid.map({itemid: v.variable_id for itemid, v in items.items()})
    low, high = (rows.itemid.map({i: getattr(v, name) for i, v in items.items()}) for name in ("low", "high"))
    return rows[(rows.value >= low) & (rows.value <= high)]


def _icu() -> pd.DataFrame:
    icu = pd.read_csv(DEMO / "icu/icustays.csv.gz", parse_dates=["intime", "outtime"])
    return icu.assign(start=icu.intime - pd.Timedelta(hours=24))[
        ["subject_id", "hadm_id", "stay_id", "intime", "outtime", "start"]
    ]


def _chart_by_pandas() -> pd.Series:
    rows = pd.read_csv(
        DEMO / "icu/chartevents.csv.gz",
        usecols=["stay_id", "charttime", "itemid", "valuenum"],
        parse_dates=["charttime"],
    )
    rows = _to_variable(rows, "chart").merge(_icu(), on="stay_id")
    inside = rows[(rows.charttime >= rows.start) & (rows.charttime <= rows.outtime)]
    return inside.drop_duplicates(["stay_id", "variable_id", "charttime", "itemid"]).groupby("variable_id").size()


def _labs_by_pandas() -> pd.Series:
    columns = ["labevent_id", "subject_id", "hadm_id", "charttime", "itemid", "valuenum", "comments"]
    rows = pd.read_csv(DEMO / "hosp/labevents.csv.gz", usecols=columns, parse_dates=["charttime"])
    limit = rows.comments.str.extract(r"^\s*<\s*([0-9.]*[0-9])")[0].astype(float)
    rows["valuenum"] = rows.valuenum.fillna(limit)
    rows = _to_variable(rows, "lab").merge(_icu(), on="subject_id", suffixes=("", "_stay"))
    rows = rows[rows.hadm_id.isna() | (rows.hadm_id == rows.hadm_id_stay)]
    rows = rows[(rows.charttime >= rows.start) & (rows.charttime <= rows.outtime)]
    # The stay that contains it, the later of two, before the next to come.
    waiting = (rows.intime - rows.charttime).dt.total_seconds()
    rows = rows.assign(before=waiting > 0, distance=waiting.abs()).sort_values(["before", "distance"])
    one_stay = rows.drop_duplicates("labevent_id")
    return one_stay.drop_duplicates(["stay_id", "variable_id", "charttime", "itemid"]).groupby("variable_id").size()
