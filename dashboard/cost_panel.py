"""A population and what the reader asked in; which threshold is cheapest, and what that saves, drawn."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.plain_table import plain_table
from dashboard.threshold_controls import Asked
from dashboard.threshold_paths import KEYS, PATHS, alarms
from dashboard.wording import interval, percent, probability
from lemof_core.evaluation.confusion import Interval
from lemof_core.evaluation.cost import Cheapest, cheapest, cost_interval, ratio_in_use, threshold_in_theory
from lemof_core.evaluation.cuts import CutCounts


def draw_cost(known: pd.DataFrame, asked: Asked, counts: dict[str, tuple[CutCounts, CutCounts]]) -> None:
    """The threshold in use, the cheapest one and the one in theory stand beside each other, each with a button.

    Where another share of long stays is asked for, all of them are of such a ward.
    Args:
        known: label, p, path, subject_id; counts: of `queries_performance.cuts_by_path`.
    """
    thresholds, ratio_here = asked.thresholds, asked.ratio_here(known["label"])
    found = {path: cheapest(*counts[path], ratio_here) for path in thresholds if path in counts}
    _, of_other = asked.class_weights(known["label"])
    now = [of_other * cost for cost in _now(known, thresholds, ratio_here)]
    n = {path: int((known["path"] == path).sum()) for path in found}
    st.markdown(f"**{_title(found, asked)}**")
    left, right = st.columns([7, 4], gap="medium", vertical_alignment="center")
    with left:
        st.html(plain_table(cost_table(found, thresholds, n, ratio_here, in_ward=asked.ratio / ratio_here)))
    with right, st.container(horizontal=True, key="use-thresholds"):
        _button("Use the cheapest", {path: one.cut for path, one in found.items() if one is not None})
        _button("Use the theoretical", dict.fromkeys(found, round(threshold_in_theory(ratio_here), 2)))
    corrected = (
        "" if asked.long_of_100 is None else ", once corrected for the mix; the thresholds here are of p as it is"
    )
    st.caption(
        f"At the thresholds in use 100 stays cost {now[0]:.1f} [{now[1]:.1f}–{now[2]:.1f}] false alarms"
        f"{_least(found, n, of_other)}. The cheapest is chosen and judged on the same stays, so it flatters itself. "
        f"In theory: 1 / (1 + ratio), for calibrated probabilities{corrected}. Intervals by patient bootstrap."
    )


def cost_table(
    found: dict[str, Cheapest | None],
    thresholds: dict[str, float],
    n: dict[str, int],
    ratio: float,
    *,
    in_ward: float,
) -> pd.DataFrame:
    """One row per path: its stays, the threshold in use and its own ratio, the cheapest, the theoretical.

    Args:
        ratio: of the costs among the stays here; in_ward: by what it is multiplied to be that of the ward asked for.
    """
    rows = [
        {
            "Stays": PATHS[path],
            "n": f"{n[path]:,}",
            "In use": probability(thresholds[path]),
            "is right for a ratio of": _ratio(ratio_in_use(thresholds[path]) * in_ward),
            "Cheapest here": "not estimable" if one is None else f"{one.cut:.2f} {interval(one.lo, one.hi)}",
            "In theory": probability(threshold_in_theory(ratio)),
        }
        for path, one in found.items()
    ]
    return pd.DataFrame(rows)


def _now(known: pd.DataFrame, thresholds: dict[str, float], ratio: float) -> Interval:
    return cost_interval(known["label"].to_numpy(), alarms(known, thresholds), known["subject_id"].to_numpy(), ratio)


def _least(found: dict[str, Cheapest | None], n: dict[str, int], weight: float) -> str:
    """What 100 stays cost at the cheapest thresholds, weighted, in words; nothing where a path has none."""
    costs = [(one.cost, n[path]) for path, one in found.items() if one is not None]
    if len(costs) < len(found):
        return ""
    return f", at the cheapest {weight * sum(cost * count for cost, count in costs) / sum(n.values()):.1f}"


def _title(found: dict[str, Cheapest | None], asked: Asked) -> str:
    """Whether the thresholds in use lie within the intervals of the cheapest ones, in words."""
    thresholds = asked.thresholds
    costs = f"If a missed long stay costs {_false_alarms(asked.ratio)}"
    costs += "" if asked.long_of_100 is None else f" and {percent(asked.long_of_100 / 100)} of the stays are long"
    known = {path: one for path, one in found.items() if one is not None}
    if not known:
        return f"{costs}, the cheapest threshold is not estimable: too few stays of a class"
    outside = [path for path, one in known.items() if not one.lo <= round(thresholds[path], 2) <= one.hi]
    if not outside:
        return f"{costs}, no threshold is clearly cheaper than {'the one' if len(found) == 1 else 'those'} in use"
    said = " and ".join(
        f"a {'lower' if known[path].cut < thresholds[path] else 'higher'} threshold {PATHS[path]}" for path in outside
    )
    return f"{costs}, {said} {'is' if len(outside) == 1 else 'are'} cheaper"


def _false_alarms(ratio: float) -> str:
    return "one false alarm" if ratio == 1 else f"{ratio:g} false alarms"


def _ratio(value: float) -> str:
    return "any" if value == float("inf") else f"{value:.1f}"


def _button(label: str, cuts: dict[str, float]) -> None:
    if not cuts:
        return
    words = " and ".join(f"{cut:.2f} {PATHS[path]}" for path, cut in cuts.items())
    st.button(label, key=label.lower().replace(" ", "-"), help=f"Sets {words}", on_click=_use, args=(cuts,))


def _use(cuts: dict[str, float]) -> None:
    """The sliders stand at these thresholds, and so does the URL."""
    for path, cut in cuts.items():
        st.session_state[KEYS[path]] = cut
