"""Paired differences between LeMoF and its rivals in; how often it is ahead, and the forest of one pair, drawn."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.forest import forest
from dashboard.method_scores import Choice, chosen
from dashboard.method_words import NOT_FUSED, contender_label, metric_label, pair_label, signed_three
from dashboard.plain_table import plain_table
from lemof_core.benchmark.over_seeds import over_seeds

PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}
FIRST_PAIR = "wavenet|ft_transformer"  # the paper's best


def draw_differences(rows: pd.DataFrame, choice: Choice, metric: str) -> None:
    """Draw the summary over the pairs and the rivals of one pair.

    Args:
        rows: `Measured.differences`; metric: AUROC stands for one that no difference was measured in.
    """
    # Every preset is named here: none stands in LeMoF's place.
    some = chosen(rows[rows["stratum"] == "all"], Choice(choice.arm, choice.fitting, ""))
    wanted, metric = metric, metric if (some["metric"] == metric).any() else "auroc"
    some = some[some["metric"] == metric]
    if some["value"].notna().sum() == 0:
        st.subheader("Differences from the rivals")
        st.info("No paired difference is measured for this arm and fitting.")
        return
    against = some["against"].iloc[0]
    found = over_seeds(some[some["against"] == against], ("pair", "contender")).dropna(subset=["value"])
    name, who = metric_label(metric), contender_label(against.replace(" ", "|"))
    # Not what a step of the ladder was worth, nor what a second modality was.
    rivals = found[~found["contender"].str.contains("|", regex=False) & ~found["contender"].isin(NOT_FUSED)]
    clear, behind = int((rivals["lo"] > 0).sum()), int((rivals["hi"] < 0).sum())
    st.subheader(
        f"{who} is clearly ahead in {clear} and clearly behind in {behind} of {len(rivals)} paired comparisons "
        f"with rivals that read both modalities ({name})"
    )
    pairs = list(dict.fromkeys(found["pair"]))
    left, right = st.columns([3, 2], gap="large")
    with left:
        start = pairs.index(FIRST_PAIR) if FIRST_PAIR in pairs else 0
        pair = st.selectbox(
            "Pair of encoders", pairs, index=start, format_func=pair_label, key="encoders", bind="query-params"
        )
        shown = forest_rows(found[found["pair"] == pair])
        figure = forest(shown, x_title=f"{name} of {who}<br>minus that of the rival", reference=0.0)
        st.plotly_chart(figure, key="chart-differences", alt=f"Differences in {name}, {len(shown)} rivals", **PLAIN)
    with right:
        st.html(plain_table(summary(found)))
    fewest, seeds = int(found["n_seeds"].min()), int(found["n_seeds"].max())
    count = f"{fewest} to {seeds}" if fewest < seeds else str(seeds)
    refitted = (
        f"Mean over {count} seeds: the interval holds patients and fits, not who was learnt from."
        if seeds > 1
        else "They do not hold the noise of fitting again."
    )
    instead = "" if metric == wanted else f"No difference is measured in {metric_label(wanted)}. "
    st.caption(
        f"{instead}Right of the line the rival is worse. 95 % intervals by paired patient bootstrap of the same test "
        f"patients, not adjusted for the number of comparisons. {refitted} "
        "Clearly: the interval leaves out zero. The headline leaves out what reads one modality or none."
    )


def forest_rows(found: pd.DataFrame) -> pd.DataFrame:
    """What `charts.forest` takes: the rivals of one pair, in the order of the file; clear differences in accent."""
    texts = [
        f"{signed_three(row['value'])} [{signed_three(row['lo'])} to {signed_three(row['hi'])}]"
        for row in found.to_dict("records")
    ]
    labels = [contender_label(name) for name in found["contender"]]
    strong = (found["lo"] > 0) | (found["hi"] < 0)
    return found[["value", "lo", "hi"]].assign(label=labels, text=texts, strong=strong)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """One row per rival: pairs, how many of them LeMoF is ahead in, clearly ahead, clearly behind, the mean."""
    marked = found.assign(ahead=found["value"] > 0, clear=found["lo"] > 0, behind=found["hi"] < 0)
    grouped = marked.groupby("contender", sort=False)
    table = grouped.agg(
        mean=("value", "mean"),
        ahead=("ahead", "sum"),
        clear=("clear", "sum"),
        behind=("behind", "sum"),
        pairs=("value", "size"),
    ).reset_index()
    table["contender"] = table["contender"].map(contender_label)
    table["mean"] = table["mean"].map(signed_three)
    return table.set_axis(["Rival", "Mean", "Ahead", "Clearly ahead", "Clearly behind", "Pairs"], axis=1)
