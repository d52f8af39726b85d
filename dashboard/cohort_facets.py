"""The frame of all stays in, the facets in the side panel drawn and the reader's filters out; all bound to the URL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts.range_histogram import range_histogram
from dashboard.cohort_filters import ECG, SEXES, SPLITS, VERDICTS, WHERE, Filters, outcome_words
from dashboard.threshold_paths import PATHS, start, told
from dashboard.wording import Definition

URL: dict[str, Any] = {"bind": "query-params"}
# Widgets of the page in the order of the URL; their keys are the parameters.
KEYS = (
    "q",
    "where",
    "rule",
    "split",
    "sex",
    "age",
    "unit",
    "disease",
    "ecg",
    "outcome",
    "p",
    "verdict",
    "thr",
    "thr_ehr",
)
P_RANGE = (0.0, 1.0)


def age_range(frame: pd.DataFrame) -> tuple[int, int]:
    """The ends of the age slider, always apart."""
    if frame.empty:
        return 18, 100
    low, high = int(frame["age_years"].min()), int(frame["age_years"].max())
    return low, max(high, low + 1)


def draw_facets(frame: pd.DataFrame, rules: dict[str, str], tuned: dict[str, float], defined: Definition) -> Filters:
    """The facets stand in the side panel; what they are set to comes back.

    Args:
        rules: attrition rule -> its sentence; tuned: the run's thresholds by path; 0.5 stands for one without.
    """
    with st.sidebar:
        q = st.text_input("Stay or subject id", key="q", placeholder="e.g. 3045", **URL)
        where = _choice("Cohort", "where", WHERE, frame["in_cohort"].map({True: "in", False: "out"}), ["in"])
        rule: tuple[str, ...] = ()
        if not frame["in_cohort"].all() and where != ("in",):
            rule = _many("Left out because not", "rule", frame["rule"], lambda name: rules.get(name, name))
        split = _choice("Split", "split", {name: name for name in SPLITS}, frame["split"])
        st.markdown("**Person and stay**")
        sex = _choice("Sex", "sex", SEXES, frame["sex"])
        age = _age(frame)
        unit = _many("Care unit", "unit", frame["unit"])
        disease = _disease(frame)
        ecg = _choice("ECG before the prediction", "ecg", ECG, frame["ecg"])
        st.markdown("**Outcome and prediction**")
        outcome = _choice("Outcome", "outcome", outcome_words(defined), frame["outcome"])
        p = verdict = None
        thresholds: dict[str, float] = {}
        if frame["p"].notna().any():
            p = _probability(frame)
            verdict = st.pills(
                "At the threshold",
                list(VERDICTS),
                format_func=VERDICTS.__getitem__,
                selection_mode="multi",
                key="verdict",
                **URL,
            )
            thresholds = _thresholds(frame, tuned)
    alone = next(iter(thresholds.values()), 0.5)
    thr, thr_ehr = (thresholds.get(path, alone) for path in PATHS)
    return Filters(
        q.strip(), where, rule, split, sex, age, unit, disease, ecg, outcome, p, tuple(verdict or ()), thr, thr_ehr
    )


def without(name: str, frame: pd.DataFrame) -> Any:
    """The value of the facet that asks for nothing, for the buttons that remove a filter."""
    return {"q": "", "age": age_range(frame), "p": P_RANGE}.get(name, [])


def _choice(
    label: str, key: str, options: dict[str, str], values: pd.Series, default: list[str] | None = None
) -> tuple[str, ...]:
    """A few options as pills; where everybody has the same one, there is nothing to choose."""
    present = set(values.dropna().unique())
    offered = [name for name in options if name in present]
    if len(offered) < 2:
        return ()
    # No counts in the labels: the URL holds the options as they are written.
    chosen = st.pills(
        label, offered, format_func=options.__getitem__, selection_mode="multi", key=key, default=default, **URL
    )
    return tuple(chosen or ())


def _many(label: str, key: str, values: pd.Series, say: Callable[[str], str] = str) -> tuple[str, ...]:
    """Many options as a multiselect, the most frequent first."""
    counts = values.value_counts()
    offered = [str(name) for name in counts.index[counts > 0]]
    if not offered:
        return ()
    return tuple(st.multiselect(label, offered, format_func=say, placeholder="Any", key=key, **URL))


def _disease(frame: pd.DataFrame) -> tuple[str, ...]:
    combined = frame["disease_groups"].value_counts()
    names = sorted({name for text in combined.index for name in text.split(", ") if name})
    if not names:
        return ()
    told = "Coded at discharge: unknown at the time of the prediction, never read by the model. Any of those chosen."
    label = "Disease group (retrospective)"
    return tuple(st.multiselect(label, names, placeholder="Any", key="disease", help=told, **URL))


def _age(frame: pd.DataFrame) -> tuple[int, int] | None:
    low, high = age_range(frame)
    above = st.container()
    chosen = st.slider("Age in years", low, high, (low, high), key="age", label_visibility="collapsed", **URL)
    with above:
        _histogram("Age in years", frame["age_years"], low, high, chosen)
    return None if chosen == (low, high) else chosen


def _probability(frame: pd.DataFrame) -> tuple[float, float] | None:
    above = st.container()
    chosen = st.slider("Probability", *P_RANGE, P_RANGE, 0.01, key="p", label_visibility="collapsed", **URL)
    with above:
        _histogram("Probability", frame["p"], *P_RANGE, chosen)
    return None if chosen == P_RANGE else chosen


def _thresholds(frame: pd.DataFrame, tuned: dict[str, float]) -> dict[str, float]:
    """The threshold of each path that has predictions, as a number to change."""
    found = {}
    for path, key in (("both", "thr"), ("ehr", "thr_ehr")):
        if (frame["path"] == path).any():
            found[path] = float(
                st.number_input(
                    f"Threshold {PATHS[path]}",
                    0.0,
                    1.0,
                    start(tuned, path),
                    0.01,
                    "%.3f",
                    key=key,
                    help=told(tuned, path),
                    **URL,
                )
            )
    return found


def _histogram(what: str, values: pd.Series, low: float, high: float, chosen: tuple[float, float]) -> None:
    st.markdown(
        f'<div class="lemof-facet">{what}</div>'
        + range_histogram(values.to_numpy(float), low, high, chosen, what=what.lower()),
        unsafe_allow_html=True,
    )
