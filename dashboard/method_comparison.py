"""Measured and printed scores in; charts of means and mean ranks, and the tables behind them, drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.charts.beside import beside
from dashboard.method_scores import Comparison, compare, wide
from dashboard.method_words import contender_label, metric_label, seeds_in_words, three
from dashboard.plain_table import plain_table

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
_COLUMNS = {
    "Measured": st.column_config.NumberColumn(format="%.3f"),
    "Printed": st.column_config.NumberColumn(format="%.3f"),
    "n": st.column_config.NumberColumn(format="localized"),
    "Long": st.column_config.NumberColumn(format="localized"),
}
_DOTTED = (
    "p_x, the generator's own probability given all a model may see, and the practical limit, gradient boosting on the "
    "true ECG parameters and the record of the same patients"
)
_ENDS = ("measured", "measured_lo", "measured_hi", "printed", "printed_lo", "printed_hi")


def draw_comparison(
    head: DeltaGenerator,
    scores: pd.DataFrame,
    paper: pd.DataFrame,
    order: Sequence[str],
    *,
    title: str,
    setting: str,
    words: Callable[[str], str],
    metric: str,
    printed_ranks: dict[str, float],
    lines: dict[str, float] | None = None,
) -> None:
    """Draw the means beside those printed, the mean ranks beside those printed, and every number in tables.

    Args:
        head: where the heading goes, which opens with the title.
        scores: of `over_seeds` by the setting and contender; paper: settings x contenders, as printed.
        order: the contenders that the paper ranks; setting: the column that names a setting, words: its label.
        printed_ranks: contender -> mean rank as printed; lines: words -> value to draw in the chart of means.
    """
    found = compare(wide(scores, setting), paper, order)
    head.subheader(f"{title}: {_finding(found, metric)}")
    st.markdown(_counts(found, len(paper), setting))
    left, right = st.columns([3, 2], gap="large")
    rows, name = chart_rows(found, scores, setting), metric_label(metric)
    with left:
        over = _plural(setting, len(found.settings) or len(paper))
        figure = beside(rows, x_title=f"{name}, mean over {over}", lines=lines)
        st.plotly_chart(figure, key=f"means-{setting}", alt=f"Mean {name} of each method, in the table below", **PLAIN)
    with right:
        ranked = rank_rows(found)
        figure = beside(ranked, x_title="Mean rank (1 is best)", ranks=len(order))
        st.plotly_chart(figure, key=f"ranks-{setting}", alt="Mean rank of each method, in the table below", **PLAIN)
    dotted = f" Dotted: {_DOTTED}." if lines else ""
    n_fewer = int(_of_fewer(found).sum())
    fewer = f" {n_fewer} more, measured with fewer {setting}s, are in the table." if n_fewer else ""
    st.caption(_caption(scores[scores["contender"].isin(order)], setting) + fewer + dotted)
    names = ["Means and ranks", f"Every {setting}", *(["Every number"] if len(scores) else [])]
    means, settings, *numbers = st.tabs(names)
    with means:
        st.html(plain_table(means_table(found, paper, printed_ranks, setting)))
        st.caption(
            "Printed, all: over the whole printed table. Ranks are recomputed from the printed digits, ties share "
            "their mean rank; “as printed” is the paper's own row, which handles ties in another way."
        )
    with settings:
        st.html(plain_table(settings_table(wide(scores, setting), paper, order, setting, words)))
        st.caption("Measured (printed). A dash: not measured, or not estimable.")
    for tab in numbers:
        table = numbers_table(scores, paper, setting, words)
        tab.dataframe(table, hide_index=True, key=f"numbers-{setting}", column_config=_COLUMNS)
        tab.caption(
            "Nothing where a number is not estimable. 95 % intervals by patient bootstrap. With several seeds the "
            "value is their mean, and the interval holds the noise of fitting again too."
        )


def chart_rows(found: Comparison, scores: pd.DataFrame, setting: str) -> pd.DataFrame:
    """What `charts.beside` takes of the means over the same settings; an interval stands for the range of a single one.

    A mean over fewer settings would stand beside the others as if it were of the same ones: it is in the table alone.
    """
    rows = found.rows[~_of_fewer(found)].copy()
    there = scores[scores[setting].isin(found.settings) | ~scores["contender"].isin(rows.index[rows["ranked"]])]
    bounds = there.dropna(subset=["value"]).drop_duplicates("contender").set_index("contender")[["lo", "hi"]]
    alone = rows["n_settings"] == 1
    for end in ("lo", "hi"):
        rows[f"measured_{end}"] = rows[f"measured_{end}"].where(~alone, bounds[end].reindex(rows.index))
    texts = [
        three(row["measured"]) + (f" ({three(row['printed'])})" if row["ranked"] else "")
        for row in rows.to_dict("records")
    ]
    return rows[list(_ENDS)].assign(label=[contender_label(str(name)) for name in rows.index], text=texts)


def _of_fewer(found: Comparison) -> pd.Series:
    """Whether a contender has a number for some of the compared settings only."""
    return ~found.rows["ranked"].astype(bool) & (found.rows["n_settings"] < len(found.settings))


def rank_rows(found: Comparison) -> pd.DataFrame:
    """What `charts.beside` takes of the mean ranks of the contenders that are ranked."""
    rows = found.rows[found.rows["ranked"].astype(bool)]
    ends = {name: rows[name.replace("measured", "measured_rank").replace("printed", "printed_rank")] for name in _ENDS}
    texts = [f"{_rank(a)} ({_rank(b)})" for a, b in zip(ends["measured"], ends["printed"], strict=True)]
    return pd.DataFrame(ends).assign(label=[contender_label(str(name)) for name in rows.index], text=texts)


def means_table(found: Comparison, paper: pd.DataFrame, printed_ranks: dict[str, float], setting: str) -> pd.DataFrame:
    """One row per contender: mean, range and rank as measured, and as printed for the same settings and for all.

    A column that holds nothing is left out.
    """
    of_all = compare(pd.DataFrame(), paper, list(printed_ranks)).rows
    rows = []
    for name, row in found.rows.iterrows():
        ranked = bool(row["ranked"])
        span = _span(row["measured_lo"], row["measured_hi"]) if row["n_settings"] > 1 else "–"
        rows.append(
            {
                "Method": contender_label(str(name)),
                "Measured": three(row["measured"]),
                f"Lowest–highest {setting}": span,
                "Rank": _rank(row["measured_rank"]),
                f"{setting.capitalize()}s": "–" if pd.isna(row["measured"]) else f"{row['n_settings']:.0f}",
                "Printed, same": three(row["printed"]) if found.settings and ranked else "–",
                "Rank, same": _rank(row["printed_rank"]) if found.settings and ranked else "–",
                "Printed, all": three(of_all.loc[name, "printed"]) if ranked else "–",
                "Rank, all": _rank(of_all.loc[name, "printed_rank"]) if ranked else "–",
                "Rank as printed": _rank(printed_ranks[str(name)]) if ranked else "–",
            }
        )
    table = pd.DataFrame(rows)
    return table.loc[:, (table != "–").any()]


def settings_table(
    measured: pd.DataFrame, paper: pd.DataFrame, order: Sequence[str], setting: str, words: Callable[[str], str]
) -> pd.DataFrame:
    """One row per setting of the paper: measured (printed) of every contender that it ranks."""
    full = measured.reindex(index=paper.index, columns=list(order))
    rows = [
        {setting.capitalize(): words(str(name))}
        | {contender_label(one): f"{three(full.loc[name, one])} ({three(paper.loc[name, one])})" for one in order}
        for name in paper.index
    ]
    return pd.DataFrame(rows)


def numbers_table(scores: pd.DataFrame, paper: pd.DataFrame, setting: str, words: Callable[[str], str]) -> pd.DataFrame:
    """One row per measured number: value (NaN: not estimable), interval, seeds with their range, n, what is printed."""
    known = paper.stack().rename("printed").rename_axis([setting, "contender"])
    table = scores.join(known, on=[setting, "contender"])
    return pd.DataFrame(
        {
            setting.capitalize(): table[setting].map(words),
            "Method": table["contender"].map(contender_label),
            "Measured": table["value"],
            "95 %": [_span(low, high) for low, high in zip(table["lo"], table["hi"], strict=True)],
            "Seeds": [", ".join(str(seed) for seed in seeds) for seeds in table["seeds"]],
            "Lowest–highest seed": [
                _span(low, high) if n > 1 else "–"
                for low, high, n in zip(table["seed_lo"], table["seed_hi"], table["n_seeds"], strict=True)
            ],
            "n": table["n"],
            "Long": table["events"],
            "Printed": table["printed"],
        }
    )


def _span(low: float, high: float) -> str:
    return "–" if pd.isna(low) or pd.isna(high) else f"{three(low)}–{three(high)}"


def _finding(found: Comparison, metric: str) -> str:
    own, name = found.rows.loc["lemof"], metric_label(metric)
    if not found.settings or pd.isna(own["measured_rank"]):
        return f"LeMoF's mean rank is {_rank(own['printed_rank'])} of {_n_ranked(found)} as printed ({name})"
    if found.n_ranked < 2:
        return f"LeMoF reaches {name} {three(own['measured'])}; {three(own['printed'])} is printed"
    return (
        f"LeMoF's mean rank is {_rank(own['measured_rank'])} of {found.n_ranked} as measured, "
        f"{_rank(own['printed_rank'])} of {_n_ranked(found)} as printed ({name})"
    )


def _counts(found: Comparison, n: int, setting: str) -> str:
    if not found.n_measured:
        return f"**0 of {_plural(setting, n)} measured.** What stands here is printed in the paper."
    said = f"**{found.n_measured} of {_plural(setting, n)} measured.**"
    if not found.settings:
        return f"{said} None has a number for every measured method, so nothing is averaged."
    if len(found.settings) < n:
        over = f"the {len(found.settings)}" if len(found.settings) > 1 else "the one"
        said += f" Means and ranks, measured and printed, are over {over} with a number for every measured method."
    if found.n_ranked < _n_ranked(found):
        said += f" {found.n_ranked} of {_n_ranked(found)} methods of the paper are measured, and rank among themselves."
    return said


def _caption(scores: pd.DataFrame, setting: str) -> str:
    said = (
        f"Line: lowest to highest {setting}; its 95 % interval where there is one {setting} only. "
        "At the right: measured (printed). "
    )
    scores = scores[scores["n_seeds"] > 0]
    if scores.empty:
        return said
    seeds = sorted({seed for of_one in scores["seeds"] for seed in of_one})
    counts = scores["n_seeds"]
    uneven = f", {counts.min()} to {counts.max()} of them a number" if counts.min() != counts.max() else ""
    said += f"{seeds_in_words(seeds).capitalize()}{uneven}."
    if setting == "pair":
        ns = scores[["n", "events"]].drop_duplicates()
        said += f" n = {ns['n'].max():,.0f}, {ns['events'].max():,.0f} long" + ("." if len(ns) == 1 else " at most.")
    return said


def _n_ranked(found: Comparison) -> int:
    return int(found.rows["ranked"].sum())


def _rank(value: float) -> str:
    """Two digits, as the paper prints them."""
    return "–" if pd.isna(value) else f"{value:.2f}"


def _plural(setting: str, n: int) -> str:
    """1 pair, 20 pairs."""
    return f"{n} {setting}" + ("s" if n != 1 else "")
