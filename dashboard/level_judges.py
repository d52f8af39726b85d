"""A run's levels on the same stays in; how four ways judge them, their ranks, and where they disagree in words, out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dashboard.level_tables import MODALITIES, interval_3, number_3
from lemof_core.evaluation.auroc_influence import Auroc, auroc
from lemof_core.evaluation.group_means import group_means
from lemof_core.evaluation.level_removal import stack_logits
from lemof_core.evaluation.rank_agreement import Agreement, agreement, ranks

LEVELS = (1, 2, 3)
WAYS = {"phi": "Mean |φ|", "weight": "Weight in G", "alone": "AUROC alone", "without": "AUROC lost without it"}
WHOLE = "whole"  # what the whole model loses: shown, but no way of its own, as Module 2 keeps the level's tokens
_IN_WORDS = {"phi": "mean |φ|", "weight": "weight", "alone": "AUROC alone", "without": "AUROC lost without it"}
_SAME = 1e-9  # log-odds or AUROC: closer is a tie

Three = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True)
class Judged:
    """How the levels of a modality are judged on n stays, `events` of them long.

    Attributes:
        of: way -> (3, 3), value, low and high of each level; NaN where not estimable. WAYS and WHOLE.
        lead: way -> first less second with its paired 95 % interval; not of the weight, of which there are no draws.
    """

    of: dict[str, np.ndarray]
    lead: dict[str, Three]
    n: int
    events: int

    @property
    def ways(self) -> list[str]:
        """The ways that have a number for every level."""
        return [way for way in WAYS if not np.isnan(self.of[way][:, 0]).any()]

    def ranks(self) -> pd.DataFrame:
        """Ranks (ways, levels), 1 for the largest; ties share theirs."""
        rounded = [np.round(self._by_size(way) / _SAME) * _SAME for way in self.ways]
        found = ranks(np.array(rounded)) if rounded else np.empty((0, len(LEVELS)))
        return pd.DataFrame(found, index=self.ways, columns=list(LEVELS))

    def agreement(self) -> Agreement:
        """Kendall's W over the ways, with its exact p."""
        return agreement(self.ranks().to_numpy(float))

    def first(self, way: str) -> int | None:
        """The level that a way puts first; None where it ties."""
        rank = self.ranks().loc[way]
        return int(rank.idxmin()) if (rank == rank.min()).sum() == 1 else None

    def _by_size(self, way: str) -> np.ndarray:
        """What a way ranks (3,): a weight by its size, whatever its sign."""
        values = self.of[way][:, 0]
        return np.abs(values) if way == "weight" else values


def judged(
    known: pd.DataFrame, phi: np.ndarray, weights: pd.DataFrame, k_star: dict[str, int], modality: str, link: str
) -> Judged:
    """How four ways judge the levels of a modality on the same stays, all of one path.

    Args:
        known: label, subject_id and the ports of the path; phi: (N, 3) selection_phi in log-odds.
        weights: `stage_weights` of the path; k_star: of its modalities; link: what the stages read.
    """
    y, subjects = known["label"].to_numpy(int), known["subject_id"].to_numpy()
    names = [f"{modality}_{k}" for k in LEVELS]
    ports = known[[*(f"{m}_{k}" for m in k_star for k in LEVELS), *(["cross"] if known["cross"].notna().any() else [])]]
    size = group_means(np.abs(phi), np.ones((len(known), 1), dtype=bool), subjects)
    own = weights[weights["stage"] == f"G_{modality}"].set_index("input").reindex(names)
    whole = stack_logits(ports, weights, k_star, link=link)
    held = [stack_logits(ports, weights, k_star, link=link, held=(name,)) for name in names]

    def of(score: np.ndarray) -> Auroc:
        return auroc(y, score, subjects)

    alone = [of(known[name].to_numpy(float)) for name in names]
    lost = {
        way: [of(whole[key]) - of(logits[key]) for logits in held]
        for way, key in (("without", modality), (WHOLE, "final"))
    }
    estimates = {way: np.array([_three(one) for one in found]) for way, found in ({"alone": alone} | lost).items()}
    estimates["phi"] = np.stack([size.value[0], size.lo[0], size.hi[0]], axis=1)
    estimates["weight"] = own[["weight", "lo", "hi"]].to_numpy(float)
    lead = {way: _lead(estimates[way][:, 0], _paired(found)) for way, found in (("alone", alone), *lost.items())}
    lead["phi"] = _lead(size.value[0], lambda first, second: size.lead(0, first, second))
    return Judged(estimates, lead, len(known), int(y.sum()))


def verdict(found: Judged, modality: str) -> str:
    """Which level the ways put first, in a sentence; where they disagree it says so."""
    name = MODALITIES[modality]
    by_level: dict[int, list[str]] = {}
    for way in found.ways:
        level = found.first(way)
        if level is not None:
            by_level.setdefault(level, []).append(_IN_WORDS[way])
    if not by_level:
        return f"{name}: no way of judging puts a level first, n = {found.n:,}"
    order = sorted(by_level, key=lambda level: (-len(by_level[level]), level))
    if len(order) == 1:
        n, of = len(by_level[order[0]]), len(found.ways)
        tied = [_IN_WORDS[way] for way in found.ways if found.first(way) is None]
        ways = f"all {n} ways put" if n == of else f"{n} of {of} ways put{'s' if n == 1 else ''}"
        return f"{name}: {ways} level {order[0]} first{f'; a tie by {_and(tied)}' if tied else ''}"
    told = "; ".join(f"level {level} is first by {_and(by_level[level])}" for level in order)
    return f"{name}: the ways disagree. {told[0].upper()}{told[1:]}"


def agreement_in_words(found: Judged) -> str:
    """Kendall's W with its n and p, which leads are clear of chance, and what is not estimable."""
    w = found.agreement()
    parts = []
    if np.isnan(w.w):
        parts.append("How far the ways agree is not estimable: fewer than two tell the levels apart.")
    else:
        parts.append(
            f"Kendall's W = {w.w:.2f} over {w.n_judges} ways and {w.n_things} levels (0: no agreement, 1: the same "
            f"order everywhere); drawing lots agrees as much with p = {w.p:.2g} (exact)."
        )
    clear = [_IN_WORDS[way] for way in found.ways if way in found.lead and found.lead[way][1] > 0]
    tested = [way for way in found.ways if way in found.lead]
    if tested:
        parts.append(
            f"The first is clearly ahead of the second by {_and(clear)}."
            if clear
            else "By none of them the first is clearly ahead of the second, so its rank may be chance."
        )
    if "alone" not in found.ways:
        parts.append(f"AUROC is not estimable, n = {found.n:,}, {found.events:,} long.")
    return " ".join(parts)


def judged_table(found: Judged) -> pd.DataFrame:
    """One row per way, one column per level: rank, value and interval; last the lead of the first over the second."""
    rank = found.ranks()
    rows = []
    for way, title in (WAYS | {WHOLE: "… of the whole model"}).items():
        row = {"Judged by": title}
        for at, level in enumerate(LEVELS):
            value, low, high = found.of[way][at].tolist()
            place = f"{_place(rank.loc[way], level)} " if way in rank.index else ""
            row[f"Level {level}"] = (
                "not estimable" if np.isnan(value) else f"{place}{number_3(value)} {interval_3(low, high)}".strip()
            )
        row["First ahead by"] = _lead_in_words(found.lead.get(way))
        rows.append(row)
    return pd.DataFrame(rows)


def _place(ranks_of_way: pd.Series, level: int) -> str:
    """1st, 2nd or 3rd; with an equals sign where the place is shared."""
    own = ranks_of_way[level]
    shared = int((ranks_of_way == own).sum())
    return f"{('1st', '2nd', '3rd')[round(own - (shared - 1) / 2) - 1]}{'=' if shared > 1 else ''}"


def _lead(values: np.ndarray, paired: Callable[[int, int], Three]) -> Three:
    if np.isnan(values).any():
        return np.nan, np.nan, np.nan
    first, second = np.argsort(-values, kind="stable")[:2]
    return paired(int(first), int(second))


def _paired(found: list[Auroc]) -> Callable[[int, int], Three]:
    return lambda first, second: _three(found[first] - found[second])


def _three(one: Auroc) -> Three:
    return (one.value, *one.interval())


def _lead_in_words(lead: Three | None) -> str:
    if lead is None:
        return "not tested"
    return "–" if np.isnan(lead[0]) else f"{number_3(lead[0])} {interval_3(lead[1], lead[2])}"


def _and(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
