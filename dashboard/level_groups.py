"""The facts of stays and the means of their selection_phi in; groups, rows of a chart, a table and findings out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dashboard.level_tables import MODALITIES, interval_3, number_3
from dashboard.strata import EVERYBODY
from dashboard.wording import Definition
from lemof_core.evaluation.group_means import FEWEST, GroupMeans
from lemof_core.evaluation.strata import disease_members

BY = {"disease": "Disease group", "outcome": "Outcome", "both": "Disease and outcome"}
SHOWN_AS = {"size": "Size: mean |φ|", "direction": "Direction: mean φ"}


def memberships(frame: pd.DataFrame, by: str, defined: Definition) -> pd.DataFrame:
    """Who belongs to which group: one boolean column a group, all stays first, then the largest group first.

    Args:
        frame: diseases, label and died_before_cut of `read_analysis.analysed`; by: a key of BY.
    """
    groups = {EVERYBODY: np.ones(len(frame), dtype=bool)}
    if by == "outcome":
        long, died = (frame["label"] == 1).to_numpy(), frame["died_before_cut"].to_numpy(bool)
        found = {
            f"in ICU after {defined.cut}": long,
            f"left the ICU before {defined.cut}": ~long & ~died,
            f"died in the ICU before {defined.cut}": ~long & died,
        }
        return pd.DataFrame(groups | {name: rows for name, rows in found.items() if rows.any()}, index=frame.index)
    found = _diseases(frame["diseases"])
    for name in sorted(found, key=lambda name: (-int(found[name].sum()), name)):
        if by == "disease":
            groups[name] = found[name]
            continue
        for words, label in (("long", 1), ("not long", 0)):
            groups[f"{name}: {words}"] = found[name] & (frame["label"] == label).to_numpy()
    return pd.DataFrame(groups, index=frame.index)


def _diseases(joined: pd.Series) -> dict[str, np.ndarray]:
    """Group -> who has it (N,), those with none last."""
    without = (joined == "").to_numpy(bool)
    return disease_members(joined) | ({"none of the groups": without} if without.any() else {})


def group_rows(means: GroupMeans, labels: list[str]) -> pd.DataFrame:
    """What `charts.level_forest` takes: group, n, level, value, lo, hi, first (the largest of its group)."""
    n_groups, n_levels = means.value.shape
    best = np.argmax(np.nan_to_num(np.abs(means.value), nan=-1.0), axis=1)
    return pd.DataFrame(
        {
            "group": np.repeat(labels, n_levels),
            "n": np.repeat(means.n, n_levels),
            "level": np.tile(np.arange(1, n_levels + 1), n_groups),
            "value": means.value.ravel(),
            "lo": means.lo.ravel(),
            "hi": means.hi.ravel(),
            "first": (np.arange(n_levels) == best[:, None]).ravel() & ~np.isnan(means.value).ravel(),
        }
    )


def group_table(rows: pd.DataFrame, *, signs: bool) -> pd.DataFrame:
    """One row per group: n and each level's mean with its interval, three digits.

    Args:
        signs: whether the means have a direction, so that a plus is written too.
    """
    out = []
    for group, some in rows.groupby("group", sort=False):
        row: dict[str, object] = {"Group": group, "n": f"{some['n'].iloc[0]:,}"}
        for one in some.itertuples():
            few = f"under {FEWEST} patients"
            row[f"Level {one.level}"] = few if np.isnan(one.value) else _written(one, signs=signs)
        out.append(row)
    return pd.DataFrame(out)


def finding_by_group(means: GroupMeans, modality: str, shown_as: str) -> str:
    """Which level moves G most in how many groups, or whither the levels move it, in a sentence."""
    name, known = MODALITIES[modality], [g for g in range(1, len(means.n)) if not np.isnan(means.value[g]).any()]
    if not known:
        return f"{name}: no group has {FEWEST} patients"
    n = len(known)
    if shown_as == "direction":
        total = means.draws[:, known].sum(2)
        low, high = np.quantile(total, [0.025, 0.975], axis=0)
        up, down = int((low > 0).sum()), int((high < 0).sum())
        return f"{name}: together the levels raise in {up} and lower in {down} of {_groups(n)}, the interval beyond 0"
    order = np.argsort(-means.value[known], axis=1, kind="stable")
    counts = np.bincount(order[:, 0] + 1, minlength=means.value.shape[1] + 1)
    most, *others = sorted(np.flatnonzero(counts), key=lambda level: (-counts[level], level))
    where = f"in all of {_groups(n)}" if not others else f"in {counts[most]} of {_groups(n)}"
    told = "".join(f", level {level} in {counts[level]}" for level in others)
    clear = sum(means.lead(g, first, second)[1] > 0 for g, (first, second) in zip(known, order[:, :2], strict=True))
    return f"{name}: level {most} moves G most {where}{told}; clearly ahead in {clear or 'none'}"


def _groups(n: int) -> str:
    return f"{n} group{'s' if n > 1 else ''}"


def _written(one: object, *, signs: bool) -> str:
    value, low, high = (float(getattr(one, name)) for name in ("value", "lo", "hi"))
    return f"{number_3(value, sign=signs)} {interval_3(low, high)}"
