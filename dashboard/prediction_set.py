"""A probability and conformal cut-offs in, the set of outcomes that cannot be excluded out, in words. Pure."""

from __future__ import annotations

from math import ceil
from typing import Any

import pandas as pd

from dashboard.wording import Definition, estimate

NAMES = {1: "longer", 0: "not longer"}


def members(p: float, cutoffs: pd.DataFrame) -> tuple[int, ...] | None:
    """Return the classes in the set, longest stay first; None where a class has no cut-off, for then there is no set.

    Args:
        cutoffs: label, cutoff of the prediction's path, as `read_results.conformals` gives them.
    """
    known = dict(zip(cutoffs["label"], cutoffs["cutoff"], strict=True))
    if set(known) != {0, 1} or any(pd.isna(cut) for cut in known.values()):
        return None
    return tuple(label for label, unlike in ((1, 1 - p), (0, p)) if unlike <= known[label])


def set_words(p: float, cutoffs: pd.DataFrame, defined: Definition) -> str:
    """Return the set in a sentence, or why there is none."""
    if cutoffs.empty:
        return "No prediction set: this run fitted none."
    share = f"{100 * (1 - float(cutoffs['alpha'].iloc[0])):.0f} %"
    inside = members(p, cutoffs)
    if inside is None:
        return f"No {share} set: {_too_few(cutoffs, defined)}."
    said = {1: f"longer than {defined.cut}", 0: f"{defined.cut} or less"}
    if len(inside) == 2:
        return f"Set at {share}: both outcomes; the model cannot exclude either."
    if not inside:
        return f"Set at {share}: empty; neither outcome is like the calibration patients'."
    return f"Set at {share}: {said[inside[0]]}."


def _too_few(cutoffs: pd.DataFrame, defined: Definition) -> str:
    rows: list[dict[Any, Any]] = cutoffs[cutoffs["cutoff"].isna()].to_dict("records")
    needed = ceil(1 / float(cutoffs["alpha"].iloc[0]) - 1e-9) - 1
    who = {1: f"stayed longer than {defined.cut}", 0: f"stayed {defined.cut} or less"}
    told = [f"{int(row['n'])} calibration patients {who[int(row['label'])]}" for row in rows]
    return f"{' and '.join(told)}, {needed} are needed"


def coverage_words(measured: pd.DataFrame, path: str) -> str:
    """Return how often the set held the true outcome, by class with n; "" where it was not measured.

    Args:
        measured: metrics of a split, as `read_results.metrics` gives them.
    """
    here = measured[(measured["stratum_kind"] == "path") & (measured["stratum"] == path)].set_index("name")
    parts = []
    for label, who in ((1, "of longer stays"), (0, "of others")):
        name = f"coverage_{label}"
        if name in here.index:
            row = here.loc[name]
            shown = estimate(row["value"], row["lo"], row["hi"], row["note"])
            parts.append(f"{shown} {who} (n = {int(row['n']):,})")
    return f"Measured coverage: {', '.join(parts)}." if parts else ""
