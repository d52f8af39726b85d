"""Stored runs and their level choices in; those of one recipe that differ by the seed alone, side by side, out."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd

from dashboard.level_tables import MODALITIES, number_3, runner_up

_NOT_RECIPE = ("seed", "settings")  # what was set by hand stands in the config once more, where it took effect
_SAME = ("task", "t0_hours", "cut_hours", "synthetic", "surrogate_ecg", "shipped")
OPTIONS = ("task", "fusion", "preset", "ecg_encoder", "ehr_encoder", "fitting", "arm")


def same_recipe(runs: pd.DataFrame, run: dict[str, Any]) -> pd.DataFrame:
    """The runs fitted as this one was, on as many patients of each split and for the same label, by seed.

    A run with the same seed is one too, if it has another id: it should say the same.

    Args:
        runs: the columns of `read_results.runs`; run: one of them.
    """
    wanted = recipe_key(run)
    alike = [recipe_key(one) == wanted for one in runs.to_dict("records")]
    return runs[np.array(alike, dtype=bool)].sort_values(["seed", "created_at"], ignore_index=True)


def recipe_key(run: dict[str, Any]) -> tuple[Any, ...]:
    """What two runs have in common whose results differ by the seed alone; of test nothing, as it teaches nothing."""
    config = {name: value for name, value in run["config"].items() if name not in _NOT_RECIPE}
    fitted_on = {part: counts for part, counts in run["n_by_split"].items() if part != "test"}
    return (config, fitted_on, *(run[name] for name in _SAME))


def seed_rows(runs: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """What `charts.seeds` takes: run_id, seed, modality, level, mean_abs_phi, frequency, is_k_star; levels 1 to 3."""
    some = choices[choices["level"] > 0].merge(runs[["run_id", "seed"]], on="run_id", validate="many_to_one")
    return some[["run_id", "seed", "modality", "level", "mean_abs_phi", "frequency", "is_k_star"]]


def seed_table(runs: pd.DataFrame, choices: pd.DataFrame) -> pd.DataFrame:
    """One row per run: link, seed, when; per modality k* with its frequency and runner-up, and mean |phi| by level."""
    rows = []
    for one in runs.itertuples():
        row: dict[str, Any] = {"Run": f"levels?{urlencode({'run': one.run_id})}", "Seed": one.seed}
        own = choices[choices["run_id"] == one.run_id]
        for modality, name in MODALITIES.items():
            some = own[(own["modality"] == modality) & (own["level"] > 0)].sort_values("level")
            row[f"{name}: k*"] = _chosen(some)
            row[f"{name}: mean |φ| of levels 1 · 2 · 3"] = " · ".join(number_3(v) for v in some["mean_abs_phi"]) or "–"
        rows.append(row | {"Fitted (UTC)": f"{one.created_at:%Y-%m-%d %H:%M}"})
    return pd.DataFrame(rows)


def finding_over_seeds(rows: pd.DataFrame) -> str:
    """In how many seeds each level is k*, in a sentence a modality."""
    told = []
    for modality, name in MODALITIES.items():
        chosen = rows[(rows["modality"] == modality) & rows["is_k_star"].astype(bool)]
        if chosen.empty:
            continue
        n, counts = len(chosen), chosen["level"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        if len(counts) == 1:
            told.append(f"{name}: level {counts.index[0]} is k* in all {n} runs")
        else:
            parts = ", ".join(f"level {level} in {count}" for level, count in counts.items())
            told.append(f"{name}: k* moves with the seed, {parts} of {n} runs")
    return " · ".join(told)


def spread_over_seeds(rows: pd.DataFrame) -> str:
    """How far the mean |phi| of a level varies over the runs, beside how far the levels of a run lie apart."""
    told = []
    for modality, name in MODALITIES.items():
        wide = rows[rows["modality"] == modality].pivot(index="run_id", columns="level", values="mean_abs_phi")
        if len(wide) < 2:
            continue
        largest = np.sort(wide.to_numpy(float), axis=1)
        lead = float(np.median(largest[:, -1] - largest[:, -2]))
        told.append(
            f"{name}: standard deviation of a level's mean |φ| over {len(wide)} runs "
            f"{number_3(float(wide.std().min()))} to {number_3(float(wide.std().max()))}, median lead of the first "
            f"level {number_3(lead)}."
        )
    return " ".join(told)


def train_commands(run: dict[str, Any], seeds: tuple[int, ...]) -> str:
    """The command lines that fit the recipe of a run with other seeds."""
    options = [f"--{name.replace('_', '-')} {shlex.quote(str(run['config'][name]))}" for name in OPTIONS
               if run["config"].get(name)]  # fmt: skip
    settings = run["config"].get("settings") or {}
    options += [f"--set {shlex.quote(f'{name}={value}')}" for name, value in settings.items()]
    return "\n".join(f"lemof train {' '.join(options)} --seed {seed}" for seed in seeds)


def _chosen(some: pd.DataFrame) -> str:
    chosen = some[some["is_k_star"].astype(bool)]
    if chosen.empty:
        return "–"
    level, frequency = int(chosen["level"].iloc[0]), float(chosen["frequency"].iloc[0])
    if np.isnan(frequency):
        return f"level {level}"
    rival = runner_up(some)
    other = "" if rival is None else f", next {rival[0]} ({100 * rival[1]:.0f} %)"
    return f"level {level} in {100 * frequency:.0f} %{other}"
