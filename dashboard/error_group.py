"""A definition in facts in; the group of stays that it names, its cases as a list that opens them, drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from cohort_db.saved_cohorts import of_list
from dashboard.cohort_return import case_query
from dashboard.cohort_save import save_button
from dashboard.queries_errors import Judged
from dashboard.wording import estimate, signed
from lemof_core.evaluation.disagreement import LEVELS, modality_distance
from lemof_core.evaluation.losses import Loss, Mean, mean_error

CHOSEN = "group"  # the parameter in the URL: the codes of the definition
ROWS = 50
EVERYBODY = "All stays"
_CLEARED = "error_groups_cleared"


@dataclass(frozen=True)
class Group:
    """Some of the stays that a page judges.

    name: its definition in words; definition: the codes of its facts (see `facts.Facts.members`), none for everybody;
    stay_ids (n,), the first to look at first: those with the largest error, or with the modalities furthest apart where
    `by_distance`; rows (n,): their rows in `Judged.frame`; error: their mean error.
    """

    name: str
    definition: tuple[str, ...]
    stay_ids: np.ndarray
    rows: np.ndarray
    error: Mean
    by_distance: bool = False


def chosen_definition() -> tuple[str, ...]:
    """The codes that the URL names; none where no group is chosen."""
    return tuple(code for code in st.query_params.get(CHOSEN, "").split(",") if code)


def choose_group(definition: Iterable[str]) -> None:
    """The URL names this group; with no code, none."""
    written = ",".join(definition)
    if written:
        st.query_params[CHOSEN] = written
    elif CHOSEN in st.query_params:
        del st.query_params[CHOSEN]


def all_stays() -> None:
    """No group is chosen, and no row of a table is either."""
    choose_group(())
    st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1


def chosen_group(judged: Judged, errors: Loss, *, by_distance: bool = False) -> Group | None:
    """The group that the URL names; None where these predictions know no such fact.

    Args: by_distance: the stays on which ECG and health record are furthest apart first, else the largest error first.
    """
    definition = chosen_definition()
    try:
        inside = judged.facts.members(definition) & errors.counted
        name = judged.facts.words(definition)
    except KeyError:
        return None
    everybody = np.full(len(judged.frame), np.nan)
    everybody[errors.counted] = errors.error
    rows = np.flatnonzero(inside)
    first = np.abs(distances(judged))[rows] if by_distance else log_losses(judged)[rows]
    rows = rows[np.argsort(-np.nan_to_num(first, nan=-1), kind="stable")]
    if not errors.counted.all():
        name = f"{name}, of {errors.of}" if name else errors.of.capitalize()
    ids = judged.frame["stay_id"].to_numpy()[rows]
    subjects = judged.frame["subject_id"].to_numpy()[rows]
    return Group(name or EVERYBODY, definition, ids, rows, mean_error(everybody[rows], subjects), by_distance)


def log_losses(judged: Judged) -> np.ndarray:
    """The log loss (N,) of every prediction: it orders cases whatever is counted, where a rate has only 0 and 1."""
    return judged.loss("log").error


def distances(judged: Judged) -> np.ndarray:
    """`disagreement.modality_distance` of every stay (N,); NaN without an ECG, or where a run stores no levels."""
    out = np.full(len(judged.frame), np.nan)
    if judged.voices is not None and {"ecg", "ehr"} <= set(judged.voices.names):
        out[judged.both] = modality_distance(judged.voices)
    return out


def cases(
    judged: Judged, rows: np.ndarray, run_id: str, *, wide: bool = False, by_distance: bool = False
) -> pd.DataFrame:
    """The rows as they are listed: link, p, outcome, log loss, and what is remarkable in a few words.

    Args: wide: with age, sex and care unit, where there is room; by_distance: with how far the modalities are apart.
    """
    frame = judged.frame.iloc[rows]
    out = pd.DataFrame({"Stay": [f"case?{urlencode(case_query(int(stay), run_id))}" for stay in frame["stay_id"]]})
    out["p"] = frame["p"].to_numpy()
    long, died = frame["label"].to_numpy() == 1, frame["died_before_cut"].to_numpy(bool)
    out["Outcome"] = np.select([long, died], ["long", "died"], "not long")
    out["Log loss"] = log_losses(judged)[rows]
    if wide:
        out["Age"] = frame["age_years"].to_numpy()
        out["Sex"] = frame["sex"].astype(str).to_numpy()
        out["Unit"] = frame["unit"].astype(str).to_numpy()
    if wide or by_distance:
        out["ECG vs EHR"] = [signed(value) if value == value else "–" for value in distances(judged)[rows]]
    out["Remarkable"] = remarks(judged, rows)
    return out


def remarks(judged: Judged, rows: np.ndarray) -> list[str]:
    """What is remarkable about each case: which parts disagree with the whole model, its ECG, its diseases."""
    frame = judged.frame.iloc[rows]
    place = np.full(len(judged.frame), -1)
    place[judged.both] = np.arange(len(judged.both))
    out = []
    written = zip(place[rows], frame["ecg"].astype(str), frame["diseases"].astype(str), strict=True)
    for at, ecg, diseases in written:
        parts = [_dissent(judged, int(at))] if at >= 0 else [f"{'no' if ecg == 'none' else ecg} ECG"]
        parts += ["ECG flagged"] if ecg == "flagged" else []
        out.append("; ".join(part for part in [*parts, diseases] if part))
    return out


def _dissent(judged: Judged, at: int) -> str:
    """The levels that say otherwise than the whole model of a stay with both modalities."""
    voices = judged.voices
    if voices is None:
        return ""
    against: dict[str, list[str]] = {}
    for level in LEVELS:
        if level in voices.names and voices.alarm[at, voices[level]] != voices.alarm[at, 0]:
            modality, number = level.split("_")
            against.setdefault(modality.upper(), []).append(number)
    said = ", ".join(f"{name} {'/'.join(numbers)}" for name, numbers in against.items())
    return f"against: {said}" if said else ""


def draw_group(group: Group, judged: Judged, errors: Loss, run_id: str, *, wide: bool = False) -> None:
    """The group stands with its definition, n and error, and its cases as a list; what is done with it goes here."""
    with st.container(key="error-group"):
        first = "modalities furthest apart" if group.by_distance else "largest errors"
        st.subheader(f"{group.name}: {len(group.stay_ids):,} stays, {first} first")
        if not len(group.stay_ids):
            st.info("No stay is in this group: the facts that define it are true of nobody here at once.")
            return
        said = estimate(group.error.value, group.error.lo, group.error.hi, f"not estimable, n = {group.error.n}")
        st.caption(f"{errors.words} {said}, n = {group.error.n:,}. Stay numbers open the case in a new tab.")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            save_button(
                of_list(f"{group.name}, {_whom()} of run {run_id}, on the error page"),
                f"{len(group.stay_ids):,} stays",
                stay_ids=np.sort(group.stay_ids),
                key="group",
            )
            if group.definition:
                st.button("All stays again", key="group-none", type="tertiary", on_click=all_stays)
        n_pages = -(-len(group.rows) // ROWS)
        key = hashlib.sha256(",".join(group.definition).encode()).hexdigest()[:12]
        number = st.pagination(n_pages, key=f"group-page-{key}") if n_pages > 1 else 1
        shown = cases(
            judged, group.rows[(number - 1) * ROWS : number * ROWS], run_id, wide=wide, by_distance=group.by_distance
        )
        st.dataframe(
            shown,
            key=f"cases-{key}-{number}",
            hide_index=True,
            column_config=_columns(),
            height=35 * (min(len(shown), 14 if not wide else 50) + 1) + 3,
            alt=f"Cases of the group {group.name}; the stay number links to its case page",
        )


def _whom() -> str:
    """Which of a run's predictions the page is about, as its URL says."""
    split = st.query_params.get("part", "test")
    return f"{split} split" + (" without early deaths" if "without_deaths" in st.query_params else "")


def pickable(
    shown: pd.DataFrame, definitions: list[tuple[str, ...]], key: str, *, config: dict[str, Any], alt: str
) -> None:
    """The table stands on the page; a chosen row puts its definition into the URL.

    Its key holds what is shown, for a keyed table keeps the position of its selection when its rows change.
    """
    cleared = st.session_state.get(_CLEARED, 0)
    told = hashlib.sha256(f"{cleared}{definitions}{shown.to_csv()}".encode()).hexdigest()[:16]
    st.dataframe(
        shown,
        key=f"{key}-{told}",
        hide_index=True,
        column_config=config,
        selection_mode="single-row",
        on_select=_on_row(f"{key}-{told}", definitions),
        height=35 * (len(shown) + 1) + 3,
        alt=alt,
    )


def _on_row(key: str, definitions: list[tuple[str, ...]]) -> Callable[[], None]:
    def choose() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        choose_group(definitions[rows[0]] if rows else ())

    return choose


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "Stay": column.LinkColumn("Stay", display_text=r"stay=(\d+)", width=82, help="Opens the case in a new tab"),
        "p": column.NumberColumn(format="%.2f", width=48, help="Probability of a long stay"),
        "Outcome": column.TextColumn(width=66),
        "Log loss": column.NumberColumn(format="%.2f", width=62),
        "Age": column.NumberColumn(width=44),
        "Sex": column.TextColumn(width=40),
        "Unit": column.TextColumn(width=84),
        "ECG vs EHR": column.TextColumn(
            width=84, help="Percentile of the ECG alone less that of the health record alone, as a share: −1 to 1"
        ),
        "Remarkable": column.TextColumn(
            help="Levels that say otherwise than the whole model, 1 low to 3 high; ECG; diseases"
        ),
    }
