"""The runs of a store in, the two that the reader compares out, or the sentence why two cannot be compared.

Which they are stands in the URL as `a=RUN&b=RUN`, always both: a copied link names both versions.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_results
from dashboard.compare_words import run_name, stays
from dashboard.wording import definition_of

Run = dict[str, Any]
TITLE = "Compare runs"


def choose_runs(url: str, revision: str, selected: Run) -> tuple[Run, Run]:
    """The two runs stand on the page to be chosen and swapped; the page stops where a link names an unknown one, or
    there is only one.

    Args:
        selected: the run of the session, which is A where the URL names none.
    """
    runs = {str(row["run_id"]): row for row in _rows(queries_results.runs(url, revision))}
    _stop_at_unknown(runs)
    first = st.query_params.get("a") or str(selected["run_id"])
    if len(runs) < 2:
        _only_one(runs[first])
    others = [run_id for run_id in runs if run_id != first]
    second = st.query_params.get("b") or _newest_scored(url, revision, others)
    _name_in_url(first, second)
    left, middle, right = st.columns([10, 2, 10], gap="small", vertical_alignment="bottom")
    for column, side, chosen in ((left, "a", first), (right, "b", second)):
        # The address has the last word, also on Back: the widget only shows what it names.
        st.session_state[f"compare_{side}"] = chosen
        column.selectbox(
            f"Run {side.upper()}",
            list(runs),
            format_func=lambda run_id: run_name(runs[run_id]),
            key=f"compare_{side}",
            on_change=_take,
            args=(side,),
        )
    middle.button("Swap A and B", key="compare-swap", on_click=_name_in_url, args=(second, first), width="stretch")
    return runs[first], runs[second]


def stop_where_alike_or_apart(url: str, revision: str, first: Run, second: Run) -> None:
    """The page stops with a sentence where the two runs are one, predict different things, or one has not scored."""
    if first["run_id"] == second["run_id"]:
        st.info("A and B are the same run: every difference is 0. Choose another run to compare it with.")
        st.stop()
    why = not_comparable(first, second)
    if why:
        st.info(why)
        st.stop()
    for run_id in (str(first["run_id"]), str(second["run_id"])):
        if not queries_results.scored_splits(url, revision, run_id):
            st.info(f"Run {run_id} has not scored the samples of this store: there is nothing to compare.")
            st.code(f"lemof score --run {run_id}", language=None)
            st.stop()


def not_comparable(first: Run, second: Run) -> str | None:
    """Why two runs predict different things, in a sentence; None where they predict the same."""
    one, other = (definition_of(run) for run in (first, second))
    if one == other:
        return None
    return (
        f"These runs cannot be compared: A says at {one.t0} who is still in the ICU after {one.cut}, B at {other.t0} "
        f"who is after {other.cut}. The same stay has another outcome for each of them."
    )


def worst_of(first: Run, second: Run) -> Run:
    """The first run with the warnings of both: what banners and caveats are drawn from."""
    return first | {name: bool(first[name] or second[name]) for name in ("synthetic", "surrogate_ecg")}


def left_out_words(of_first: pd.DataFrame, of_second: pd.DataFrame, split: str) -> str:
    """How many samples of the split only one of the runs can be judged by, in a sentence; nothing where none is.

    Args:
        of_first, of_second: `read_run_pairs.shared_splits` of A beside B, and of B beside A.
    """
    parts = []
    for name, other, frame in (("A", "B", of_first), ("B", "A", of_second)):
        own = frame[(frame["split"] == split) & (frame["other_split"] != split)]
        unscored = int(own.loc[own["other_split"].isna(), "n"].sum())
        used = int(own.loc[own["other_split"].notna(), "n"].sum())
        if used:
            which = ", ".join(sorted(own["other_split"].dropna().unique()))
            parts.append(f"{stays(used)} of {name}'s {split} split that {other} has in {which}")
        if unscored:
            parts.append(f"{stays(unscored)} of {name}'s {split} split that {other} has not scored")
    return f"Left out: {'; '.join(parts)}." if parts else ""


def _newest_scored(url: str, revision: str, run_ids: list[str]) -> str:
    """The first, which is the newest, that has scored; the newest of all where none has."""
    return next((one for one in run_ids if queries_results.scored_splits(url, revision, one)), run_ids[0])


def _rows(frame: pd.DataFrame) -> list[Run]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def _stop_at_unknown(runs: dict[str, Run]) -> None:
    for side in ("a", "b"):
        asked = st.query_params.get(side)
        if asked and asked not in runs:
            st.error(f"The link names a run {asked} as {side.upper()} that this store does not hold.")
            st.stop()


def _only_one(run: Run) -> None:
    st.info(f"This store holds one run, {run['run_id']}. Train a second run to compare it with:")
    st.code(
        "lemof train --fusion late --fitting holdout       # or another preset, encoder, seed\n"
        "lemof score\nlemof evaluate",
        language=None,
    )
    st.stop()


def _take(side: str) -> None:
    st.query_params[side] = st.session_state[f"compare_{side}"]


def _name_in_url(first: str, second: str) -> None:
    named = {"a": first, "b": second}
    if any(st.query_params.get(side) != run_id for side, run_id in named.items()):
        st.query_params.update(named)
