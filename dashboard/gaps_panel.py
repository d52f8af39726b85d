"""A population, its alarms and a kind of group in; how the groups differ in five measures, drawn with its finding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts.group_dots import group_dots
from dashboard.plain_table import plain_table
from dashboard.queries_performance import Key, aurocs
from dashboard.strata import KINDS, lower
from dashboard.wording import estimate, interval, percent
from lemof_core.evaluation.gaps import Gap, GroupValues, comparable, rates_by_group
from lemof_core.evaluation.strata import MIN_OF_CLASS, groups

AMONG = ("sex", "race", "age", "insurance", "language", "unit", "ecg")  # kinds whose groups share nobody
TITLES = {
    "selection": "Alarms",
    "tpr": "Sensitivity",
    "fpr": "False-alarm rate",
    "ppv": "PPV",
    "auroc": "AUROC",
}
_MEANING = {
    "selection": "of all stays, with an alarm",
    "tpr": "of the long stays, with an alarm",
    "fpr": "of the other stays, with an alarm",
    "ppv": "of the alarms, long stays",
    "auroc": "how well stays are ranked",
}
_MOST_NAMED = 8  # groups that are left out, by name


def draw_gaps(frame: pd.DataFrame, alarm: np.ndarray, key: Key) -> None:
    """The groups of the kind that is chosen stand beside each other in five measures.

    Args:
        frame: the columns of `read_analysis.analysed`; alarm: (N,) bool; key: what `queries_performance.aurocs` hangs
            on.
    """
    st.subheader("Gaps between groups")
    kind = st.segmented_control(
        "Between groups by",
        AMONG,
        format_func=KINDS.__getitem__,
        default=AMONG[0],
        key="between",
        required=True,
        bind="query-params",
    )
    kind = kind or AMONG[0]
    y, subjects = frame["label"].to_numpy(), frame["subject_id"].to_numpy()
    kept, left_out = comparable(y, groups(frame, kind))
    if len(kept) < 2:
        st.info(
            f"Nothing to compare by {lower(KINDS[kind])}: fewer than two known groups have {MIN_OF_CLASS} long and "
            f"{MIN_OF_CLASS} other stays.{_left_out_in_words(left_out)}"
        )
        return
    values = rates_by_group(y, alarm, kept, subjects) | {"auroc": aurocs(key, frame, kind)}
    base = {name: (int(y[one].sum()), int(one.sum())) for name, one in kept.items()}
    _draw(values, base, left_out, kind)


def _draw(values: dict[str, GroupValues], base: dict[str, tuple[int, int]], left_out: list[str], kind: str) -> None:
    """A row of dots per group for each measure, the gap below it, and what chance alone would give.

    Args:
        values: a key of TITLES -> its values by group, two or more; base: group -> (long stays, stays); left_out: the
            groups that are not compared, in words; kind: of `strata.KINDS`.
    """
    gaps = {name: values[name].gap() for name in TITLES}
    st.markdown(f"**{finding(gaps, kind)}**")
    for column, name in zip(st.columns(len(TITLES)), TITLES, strict=True):
        gap = gaps[name]
        with column:
            st.markdown(f"{TITLES[name]}", help=_MEANING[name])
            extremes = None if gap is None else (gap.highest, gap.lowest)
            st.plotly_chart(
                group_dots(values[name].table, extremes, clear=_clear(gap)),
                key=f"gap-{name}",
                width="stretch",
                theme="streamlit",
                config={"displayModeBar": False},
                alt=f"{TITLES[name]} by {lower(KINDS[kind])}, {len(base)} groups; the table below has the gaps",
            )
    st.html(plain_table(gap_table(gaps), words=["Highest", "Lowest"]))
    shares = [long / n for long, n in base.values()]
    long_shares = f"{percent(min(shares))} to {percent(max(shares))} of the stays are long"
    st.caption(
        f"Compared: {_named(base)}.{_left_out_in_words(left_out)} Gap: the highest less the lowest group, with the "
        "95 % interval of this pair over drawn patients (AUROC of more than 20,000 stays: DeLong); by chance: what the "
        "largest gaps of all five measures stay below in 95 % of looks if all groups were equal (Bonferroni). "
        f"{long_shares}: where that differs, a model that is calibrated in every group cannot have equal error rates "
        "in them, so not every gap is a fault that can be mended (Chouldechova 2017)."
    )


def finding(gaps: dict[str, Gap | None], kind: str) -> str:
    """Which measures differ by more than chance alone gives, in words."""
    clear = [lower(TITLES[name]) for name, gap in gaps.items() if _clear(gap)]
    by = lower(KINDS[kind])
    if not clear:
        return f"By {by}, no measure differs by more than chance gives"
    if len(clear) == 1:
        return f"By {by}, {clear[0]} {'differ' if clear == ['alarms'] else 'differs'} by more than chance gives"
    return f"By {by}, {', '.join(clear[:-1])} and {clear[-1]} differ by more than chance gives"


def gap_table(gaps: dict[str, Gap | None]) -> pd.DataFrame:
    """One row per measure: the two groups, difference and ratio with intervals, and what chance gives."""
    rows = []
    for name, gap in gaps.items():
        row: dict[str, Any] = {"Measure": TITLES[name]}
        if gap is None:
            rows.append(row | dict.fromkeys(("Highest", "Lowest", "Difference", "Ratio", "By chance up to"), "–"))
            continue
        ratio = "–" if gap.ratio is None else f"{gap.ratio[0]:.2f} {interval(*gap.ratio[1:])}"
        row |= {"Highest": gap.highest, "Lowest": gap.lowest, "Difference": estimate(*gap.difference), "Ratio": ratio}
        rows.append(row | {"By chance up to": f"{gap.by_chance:.2f}"})
    return pd.DataFrame(rows)


def _clear(gap: Gap | None) -> bool:
    return gap is not None and gap.difference[0] > gap.by_chance


def _named(base: dict[str, tuple[int, int]]) -> str:
    return ", ".join(f"{name} (n = {n:,}, {long:,} long)" for name, (long, n) in base.items())


def _left_out_in_words(left_out: list[str]) -> str:
    if not left_out:
        return ""
    more = f" and {len(left_out) - _MOST_NAMED} more" if len(left_out) > _MOST_NAMED else ""
    named = ", ".join(left_out[:_MOST_NAMED])
    return f" Left out, unknown or with fewer than {MIN_OF_CLASS} stays of a class: {named}{more}."
