"""Judged predictions in; the slices that are worse than the rest by more than chance, as a table to choose from."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_errors
from dashboard.error_group import choose_group, pickable
from dashboard.error_settings import Settings
from dashboard.queries_errors import Judged
from dashboard.wording import interval, probability
from lemof_core.evaluation.facts import Fact
from lemof_core.evaluation.losses import Loss
from lemof_core.evaluation.slice_null import MOST_EXACT
from lemof_core.evaluation.slices import ALPHA, MOST_COMPARED, MOST_LISTED, Search, Slice, members_of


def draw_slices(judged: Judged, errors: Loss, settings: Settings) -> None:
    """The slices stand in rank order, or why there is none."""
    why = nothing_to_search(errors, settings.fewest)
    if why:
        st.subheader("No slice can be looked for")
        st.info(why)
        return
    found, facts = queries_errors.search(
        settings.cache_key, settings.kind, settings.kinds, settings.depth, settings.fewest, settings.rank, judged
    )
    st.subheader(title(found))
    if found.found:
        shown = slice_table(found.found, facts, errors, judged)
        pickable(shown, _definitions(found.found, facts), "slices", config=_columns(errors), alt="Slices, worst first")
        _folded(found, facts)
    else:
        st.info(nearest_in_words(found, facts, errors))
        if found.nearest is not None:
            codes = _codes(found.nearest, facts)
            st.button("Look at its cases all the same", key="nearest", on_click=choose_group, args=(codes,))
    st.caption(promise(found, errors, settings.depth))


def nothing_to_search(errors: Loss, fewest: int) -> str | None:
    """Why no search is possible, in a sentence; None where it is."""
    n = len(errors.error)
    if n < 2 * fewest:
        return (
            f"Of {errors.of} there are {n:,}. A slice needs {fewest} stays and as many outside it, so no search is "
            "possible. Take a smaller slice size, or another split."
        )
    if errors.error.min() == errors.error.max():
        return f"{errors.words}: {errors.error[0]:.2f} for every one of the {n:,} stays, so no group can be worse."
    return None


def title(found: Search) -> str:
    """The finding in a line."""
    if not found.n_slices:
        return "No slice is large enough"
    if not found.found:
        return "No slice above threshold"
    n = len(found.found)
    at_least = "at least " if n == MOST_LISTED else ""
    return f"{at_least}{n} slice{'' if n == 1 else 's'} worse than the rest by more than chance".capitalize()


def nearest_in_words(found: Search, facts: tuple[Fact, ...], errors: Loss) -> str:
    """Why no slice is listed: what the worst one is, and what chance alone does."""
    one = found.nearest
    if one is None:
        return (
            f"No group of {found.fewest} stays or more, with as many outside, can be named by the facts searched. "
            "Lower “Fewest stays”, add kinds of facts, or take a larger split."
        )
    return (
        f"Of {found.n_slices:,} slices “{_words(one, facts)}”, n = {one.n:,}, is nearest to it. {errors.words}: "
        f"{one.error:.2f}, in the rest {one.rest:.2f} (t = {one.t:.1f}, adjusted p = {one.p:.2f}). Where facts "
        f"and errors have nothing to do with each other, the largest t of so many slices exceeds {found.critical:.1f} "
        f"in 1 of {round(2 / ALPHA)} draws: this one may well be chance."
    )


def slice_table(some: tuple[Slice, ...], facts: tuple[Fact, ...], errors: Loss, judged: Judged) -> pd.DataFrame:
    """One row per slice, as it is shown."""
    n = len(errors.error)
    holds = judged.facts.holds[errors.counted]
    column = {fact.code: index for index, fact in enumerate(judged.facts.facts)}
    rows = []
    for one in some:
        row = {
            "Slice": _words(one, facts),
            "n": one.n,
            "Share": 100 * one.n / n,
            "Error": one.error,
            "Rest": one.rest,
            "Lift": one.lift,
            "Interval": interval(one.lo, one.hi) if one.hi < 100 else f"[{one.lo:.2f} or more]",
            "p": one.p,
            "Gain": 100 * one.gain / (errors.error.mean() or 1),
        }
        if errors.expected is not None:
            inside = members_of(holds, tuple(column[code] for code in _codes(one, facts)))
            row["Foreseen"] = float(errors.expected[inside].mean())
        rows.append(row)
    return pd.DataFrame(rows)


def _cut(found: Search) -> str:
    return f"{found.critical:.1f}" if found.critical < float("inf") else "a value"


def promise(found: Search, errors: Loss, depth: int) -> str:
    """What was searched, and what may be believed."""
    drawn = (
        "when patients are given each other's errors"
        if found.exact
        else f"of normal numbers on the overlaps of {MOST_EXACT:,} random patients"
    )
    once = round(2 / ALPHA)
    joined = "one fact" if depth == 1 else f"up to {depth} facts"
    return (
        f"{errors.words} {probability(found.error)} over {found.n:,} stays; {found.n_slices:,} slices of {joined} and "
        f"at least {found.fewest} stays. Listed: t above {_cut(found)}, which the largest of all of them "
        f"exceeds in 1 of {once} draws {drawn}; so at most 1 in {once} such searches lists anything where there is "
        "nothing. p and the 95 % intervals of the lift (error over that of the rest) hold for all slices at once. A "
        "slice that is worse may just be harder: then the error that its own probabilities foresee is as high. The "
        "worst of many looks better in new patients. Diseases are coded at discharge."
    )


def _folded(found: Search, facts: tuple[Fact, ...]) -> None:
    if not found.folded:
        return
    n = len(found.folded)
    title = f"{n:,} more passed, and say{'s' if n == 1 else ''} the same as one above"
    with st.expander(title):
        rows = [
            {"Slice": _words(one, facts), "n": one.n, "Lift": one.lift, "Same as": _words(found.found[by], facts)}
            for one in found.folded
            if (by := one.folded_into) is not None
        ]
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="folded", column_config=_lift(), height=280)
        st.caption(
            f"Nearly the same stays, or no worse than the rest both inside and outside the slice named. In all "
            f"{found.n_passed:,} slices passed; of very many, the first {MOST_COMPARED} are compared."
        )


def _words(one: Slice, facts: tuple[Fact, ...]) -> str:
    return ", ".join(facts[index].words for index in one.facts)


def _codes(one: Slice, facts: tuple[Fact, ...]) -> tuple[str, ...]:
    return tuple(facts[index].code for index in one.facts)


def _definitions(some: tuple[Slice, ...], facts: tuple[Fact, ...]) -> list[tuple[str, ...]]:
    return [_codes(one, facts) for one in some]


def _lift() -> dict[str, Any]:
    return {"Lift": st.column_config.NumberColumn(format="%.2f", width=44)}


def _columns(errors: Loss) -> dict[str, Any]:
    column = st.column_config
    number: dict[str, Any] = {"format": "%.2f", "width": 50}
    return _lift() | {
        "Slice": column.TextColumn(width=224),
        "n": column.NumberColumn(format="localized", width=54),
        "Share": column.NumberColumn(format="%.0f %%", width=48, help="Of all stays that are counted"),
        "Error": column.NumberColumn(**number, help=f"{errors.words}, mean in the slice"),
        "Rest": column.NumberColumn(**number, help="Mean outside the slice"),
        "Foreseen": column.NumberColumn(
            format="%.2f", width=70, help="Mean error in the slice that its own probabilities foretell"
        ),
        "Interval": column.TextColumn("95 %", width=92, help="Of the lift, for all slices at once"),
        "p": column.NumberColumn(format="%.3f", width=46, help="Adjusted for all slices that were looked at"),
        "Gain": column.NumberColumn(
            format="%.1f %%",
            width=52,
            help="How much the error of everybody would fall if the slice were as good as the rest",
        ),
    }
