"""Measured ablation, sensitivity, leak, quality and cost in; a forest plot or a table of each drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.forest import forest
from dashboard.measured import BY_ECG, Measured
from dashboard.method_scores import Choice, chosen
from dashboard.method_words import arm_label, contender_label, method_label, metric_label, pair_label, three
from dashboard.plain_table import plain_table
from lemof_core.benchmark.over_seeds import over_seeds

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
TITLES = {
    "ablation": "What each step between the paper's LeMoF and ours is worth",
    "sensitivity": "Other landmarks and cuts",
    "leak": "What a leaking stack does to unseen patients",
}
_WHY = {
    "ablation": "Rows in the order of the steps.",
    "sensitivity": "Every row is a cohort of its own, with its own patients and share of long stays.",
    "leak": "“naive” fits the stack on predictions for the patients that taught the encoders; it exists only for this.",
}
_QUALITY = ("auprc", "brier", "cal_slope")
_PARTS = ("stratum", "pair", "fusion", "variant", "arm", "fitting")  # of a label, in this order


def draw_ladder(name: str, one: Measured, metric: str) -> None:
    """Draw the rows of a table that the paper does not print, as a forest; AUROC where the metric was not measured."""
    results = one.results
    metric = metric if (results["metric"] == metric).any() else "auroc"
    rows = results[(results["metric"] == metric) & ~results["stratum"].isin(BY_ECG)]
    st.subheader(TITLES[name])
    if rows.empty:
        st.info(f"No AUROC is measured in `{name}`.")
        return
    rows = rows.assign(pair=rows["ecg_encoder"] + "|" + rows["ehr_encoder"])
    found = over_seeds(rows, _PARTS)
    shown = ladder_rows(found)
    figure = forest(shown, x_title=metric_label(metric))
    figure.update_xaxes(nticks=4)  # the steps lie close together, and a phone is narrow
    st.plotly_chart(figure, key=f"chart-{name}", alt=f"{metric_label(metric)}: {len(shown)} rows of {name}", **PLAIN)
    counts = found[["n", "events"]]
    if len(counts.drop_duplicates()) > 1:
        st.html(plain_table(counts_table(shown["label"], counts)))
        of_all = ""
    else:
        of_all = f" n = {counts['n'].iloc[0]:,.0f}, {counts['events'].iloc[0]:,.0f} long."
    same = [_PART_WORDS[part](found[part].iloc[0]) for part in _PARTS if found[part].nunique() == 1]
    st.caption(f"{_WHY[name]} The same for all: {', '.join(filter(None, same))}. {_seeds(found)}{of_all}")


def ladder_rows(found: pd.DataFrame) -> pd.DataFrame:
    """What `charts.forest` takes: a label of what tells the rows apart, and the estimate."""
    telling = [part for part in _PARTS if found[part].nunique() > 1]
    labels, texts = [], []
    for row in found.to_dict("records"):
        parts = [_PART_WORDS[part](row[part]) for part in telling]
        labels.append(" ".join(filter(None, parts)) or method_label(row["fusion"], row["variant"]))
        bounds = f" [{three(row['lo'])}–{three(row['hi'])}]" if row["lo"] == row["lo"] else ""
        texts.append(three(row["value"]) + bounds if row["n_seeds"] else "not estimable")
    return found[["value", "lo", "hi"]].assign(label=labels, text=texts)


def counts_table(labels: pd.Series, counts: pd.DataFrame) -> pd.DataFrame:
    """One row per label: n, how many of them are long, and their share."""
    share = [f"{100 * events / n:.0f} %" for n, events in counts[["n", "events"]].to_numpy()]
    words = {name: [f"{value:,.0f}" for value in counts[column]] for name, column in (("n", "n"), ("Long", "events"))}
    return pd.DataFrame({"Cohort": labels.to_numpy()} | words | {"Share": share})


def draw_quality(one: Measured, choice: Choice) -> None:
    """Draw what the paper does not print of its Table 1: AUPRC, Brier and the slope of the calibration."""
    st.subheader("What the paper does not print")
    table = quality_table(chosen(one.results[one.results["stratum"] == "all"], choice))
    if table.empty:
        st.info("Nothing of it is measured for this arm and fitting.")
        return
    st.html(plain_table(table))
    st.caption("All patients; median over pairs and seeds [lowest–highest]. A calibration slope of 1 is best.")


def quality_table(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per contender: fits, and the median with the range of what `_QUALITY` names.

    Args:
        rows: results of one group of patients, with `contender`.
    """
    found = []
    grouped: Any = rows[rows["metric"].isin(_QUALITY)].groupby("contender", sort=False)
    for name, some in grouped:
        row = {"Method": contender_label(str(name)), "Fits": f"{(some['metric'] == 'brier').sum():,}"}
        for metric in _QUALITY:
            row[metric_label(metric)] = _spread(some.loc[some["metric"] == metric, "value"], digits=3)
        found.append(row)
    return pd.DataFrame(found)


def draw_cost(one: Measured, choice: Choice) -> None:
    """Draw what each method costs to fit: seconds, parameters and epochs."""
    st.subheader("What each method costs")
    table = cost_table(chosen(one.cells, choice))
    if table.empty:
        st.info("No cost is measured for this arm and fitting.")
        return
    st.html(plain_table(table))
    st.caption(
        "Median over pairs and seeds [lowest–highest]. Seconds depend on the machine; compare them only within it."
    )


def cost_table(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per contender: fits, and the median with the range of seconds, parameters and epochs.

    Args:
        cells: with `contender`.
    """
    rows = []
    grouped: Any = cells.groupby("contender", sort=False)
    for name, some in grouped:
        row = {"Method": contender_label(str(name)), "Fits": f"{len(some):,}"}
        row |= {
            title: _spread(some[column])
            for title, column in (("Seconds", "seconds"), ("Parameters", "n_parameters"), ("Epochs", "epochs"))
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _spread(values: pd.Series, digits: int = 0) -> str:
    known = values.dropna()
    if known.empty:
        return "–"
    median, low, high = (f"{value:,.{digits}f}" for value in (known.median(), known.min(), known.max()))
    return median if known.nunique() == 1 else f"{median} [{low}–{high}]"


def _seeds(found: pd.DataFrame) -> str:
    most, least = int(found["n_seeds"].max()), int(found["n_seeds"].min())
    if most <= 1:
        return "One seed; 95 % intervals by patient bootstrap."
    count = f"{most}" if most == least else f"{least} to {most}"
    return f"Mean over {count} seeds; the line is its 95 % interval, of patients and fits."


def _stratum(name: str) -> str:
    """At 24 h, cut 72 h of t0=24 cut=72; everything else stands as it is."""
    given = dict(part.partition("=")[::2] for part in name.split())
    if set(given) == {"t0", "cut"}:
        return f"At {given['t0']} h, cut {given['cut']} h"
    return "" if name == "all" else name


_PART_WORDS: dict[str, Callable[[str], str]] = {
    "pair": pair_label,
    "stratum": _stratum,
    "fusion": method_label,
    "variant": str,
    "arm": arm_label,
    "fitting": lambda fitting: f"fitting {fitting}" if fitting else "",
}
