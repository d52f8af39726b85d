"""One page of filtered stays in, the table with links, bars and sparklines drawn, and the stay that was chosen out."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import streamlit as st

from dashboard.cohort_filters import QUALITY
from dashboard.cohort_return import case_query
from dashboard.wording import Definition, care_unit, interval

ROWS = 50
# Title, unit and one scale for all rows, so that rows can be compared; what lies beyond is drawn at its edge.
_SPARK = {
    "heart_rate": ("Heart rate", "bpm", 50, 130),
    "map": ("MAP", "mmHg", 50, 110),
    "creatinine": ("Creatinine", "mg/dL", 0, 3),
    "lactate": ("Lactate", "mmol/L", 0, 6),
}
_OUTCOME = {"long": "in ICU", "left": "left", "died": "died"}
_CHOSEN = "stay_chosen_in_table"
_BEFORE = "Hourly means known before the prediction, in order; hours without a value are left out."


def table_frame(
    page: pd.DataFrame,
    lines: pd.DataFrame,
    run_id: str | None,
    written: str,
    rules: dict[str, str],
    defined: Definition,
) -> pd.DataFrame:
    """The rows as they are shown.

    Args:
        page: as `Browser.page` gives it; lines: `queries_cohort.sparklines` of the same stays in the same order.
        written: the list that they are of, which their links lead through.
    """
    links = [f"case?{urlencode(case_query(int(stay), run_id, written))}" for stay in page["stay_id"]]
    out = pd.DataFrame({"Stay": links})
    out["Age"] = page["age_years"].to_numpy()
    out["Sex"] = page["sex"].astype(str).to_numpy()
    out["Unit"] = page["unit"].map(care_unit).to_numpy()
    if page["p"].notna().any():
        out["p"] = page["p"].to_numpy()
        out["Interval"] = [interval(low, high) for low, high in zip(page["p_lo"], page["p_hi"], strict=True)]
    out[f"At {defined.cut}"] = page["outcome"].astype(object).map(_OUTCOME).fillna("").to_numpy()
    out["Split"] = page["split"].astype(object).fillna("").to_numpy()
    out["ECG"] = page["quality"].map(QUALITY).fillna("").to_numpy()
    for name, (title, _, low, high) in _SPARK.items():
        out[title] = [[min(max(value, low), high) for value in line] for line in lines[name]]
    if not page["in_cohort"].all():
        out.insert(1, "Left out because not", page["rule"].astype(object).map(rules).fillna("").to_numpy())
    return out


def draw_table(
    page: pd.DataFrame,
    lines: pd.DataFrame,
    run_id: str | None,
    written: str,
    rules: dict[str, str],
    defined: Definition,
    state: str,
) -> int | None:
    """The table stands on the page; returns the stay whose row was just chosen.

    A keyed table keeps the position of its selection when its rows change, and another patient would be opened. So
    the key holds a hash of `state` and of the ids shown, and the choice is turned into an id by the very list of ids
    that was shown with it.
    """
    stay_ids = tuple(int(stay) for stay in page["stay_id"])
    key = "stays-" + hashlib.sha256(f"{state}|{stay_ids}".encode()).hexdigest()[:16]
    st.dataframe(
        table_frame(page, lines, run_id, written, rules, defined),
        key=key,
        hide_index=True,
        column_config=_columns(defined),
        selection_mode="single-row",
        on_select=lambda: _remember(key, stay_ids),
        height=35 * (len(page) + 1) + 3,
        alt="Stays that satisfy the filters, one row each; the stay number links to its case page",
    )
    chosen = st.session_state.pop(_CHOSEN, None)
    return None if chosen is None else int(chosen)


def _remember(key: str, stay_ids: tuple[int, ...]) -> None:
    """The id of the chosen row is kept for this one run of the page."""
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        st.session_state[_CHOSEN] = stay_ids[rows[0]]


def _columns(defined: Definition) -> dict[str, Any]:
    column = st.column_config
    return _spark_columns() | {
        "Stay": column.LinkColumn("Stay", display_text=r"stay=(\d+)", width=82, help="Opens the case in a new tab"),
        "Left out because not": column.TextColumn(width=230),
        "Age": column.NumberColumn(width=44),
        "Sex": column.TextColumn(width=40),
        "Unit": column.TextColumn(width=84),
        "p": column.ProgressColumn("p (long stay)", format="%.2f", min_value=0, max_value=1, width=110),
        "Interval": column.TextColumn("5–95 %", width=92, help="Spread over bootstrap refits of the decision"),
        f"At {defined.cut}": column.TextColumn(
            width=66, help=f"Still in the ICU, left it alive, or died there before {defined.cut}"
        ),
        "Split": column.TextColumn(width=50),
        "ECG": column.TextColumn(width=76, help="What the last ECG before the prediction is worth"),
    }


def _spark_columns() -> dict[str, Any]:
    return {
        title: st.column_config.LineChartColumn(
            title, width=74, y_min=low, y_max=high, help=f"{_BEFORE} Scale {low} to {high} {unit}."
        )
        for title, unit, low, high in _SPARK.values()
    }
