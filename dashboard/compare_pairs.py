"""The predictions of two runs in; those of the same samples in the same split side by side, with both verdicts, out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import queries_results, queries_run_pairs
from dashboard.compare_runs import Run
from dashboard.population import Population
from dashboard.threshold_paths import PATHS, alarms, start, told, tuned_thresholds
from dashboard.wording import probability

URL: dict[str, Any] = {"bind": "query-params"}
OWN, COMMON = "each run's own", "one for both"


@dataclass(frozen=True)
class Cuts:
    """Where alarms begin: the threshold of each path, for A and for B; `common` is what net benefit is taken at."""

    first: dict[str, float]
    second: dict[str, float]
    common: float

    @property
    def key(self) -> tuple[float, ...]:
        """What a cached number hangs on."""
        return (*(cuts[path] for cuts in (self.first, self.second) for path in PATHS), self.common)


@dataclass(frozen=True)
class Pair:
    """Samples that both runs have scored in the same split.

    frame: the facts of `read_analysis.analysed` with p, logit, path and alarm of each run, as p_a, p_b and so on.
    """

    first: Run
    second: Run
    frame: pd.DataFrame
    cuts: Cuts

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.frame)

    @property
    def events(self) -> int:
        """Long stays among them."""
        return int(self.frame["label"].sum())

    @cached_property
    def key(self) -> str:
        """A hash of what is compared: runs, samples and thresholds."""
        ids = pd.util.hash_array(self.frame["sample_id"].to_numpy(object))
        whose = f"{self.first['run_id']}|{self.second['run_id']}|{self.cuts.key}"
        return hashlib.sha256(whose.encode() + ids.tobytes()).hexdigest()[:16]

    def column(self, name: str) -> np.ndarray:
        """A column as an array of numbers or ids."""
        return self.frame[name].to_numpy()


def paired(population: Population, url: str, revision: str, first: Run, second: Run, cuts: Cuts) -> Pair:
    """The samples of the population, which is of the first run, that the second has scored in the same split."""
    other = queries_run_pairs.said(url, revision, str(second["run_id"]), population.split)
    frame = population.frame.merge(other, on="sample_id", suffixes=("_a", "_b"), validate="one_to_one")
    for side, thresholds in (("a", cuts.first), ("b", cuts.second)):
        of_side = frame[[f"p_{side}", f"path_{side}"]].set_axis(["p", "path"], axis=1)
        frame[f"alarm_{side}"] = alarms(of_side, thresholds)
    return Pair(first, second, frame, cuts)


def choose_cuts(url: str, revision: str, first: Run, second: Run) -> Cuts:
    """The control stands on the page; the parameters in the URL are `alarms_at` and `cut`.

    Net benefit needs one threshold for both runs: where each keeps its own, it is the mean of all of them, the same
    whichever run is A.
    """
    tuned = [
        tuned_thresholds(queries_results.fitted(url, revision, str(run["run_id"]))["calibrations"])
        for run in (first, second)
    ]
    own = [{path: start(of_run, path) for path in PATHS} for of_run in tuned]
    mean = round(float(np.mean([cut for of_run in own for cut in of_run.values()])), 2)
    chosen = st.segmented_control(
        "Alarm threshold",
        [OWN, COMMON],
        default=OWN,
        key="alarms_at",
        required=True,
        help="; ".join(
            f"{name}: {told(of_run, path)}" for name, of_run in zip("AB", tuned, strict=True) for path in PATHS
        ),
        **URL,
    )
    if chosen == COMMON:
        value = float(st.slider("Threshold of both runs", 0.01, 0.99, mean, 0.01, key="cut", width=260, **URL))
        same = dict.fromkeys(PATHS, value)
        return Cuts(same, same, value)
    return Cuts(own[0], own[1], min(max(mean, 0.01), 0.99))


def cuts_in_words(cuts: dict[str, float], paths: pd.Series) -> str:
    """The thresholds of the paths that occur: 0.44, or 0.44 with ECG and 0.50 without."""
    here = {path: cuts[path] for path in PATHS if (paths == path).any()}
    if len({probability(cut) for cut in here.values()}) == 1:
        return probability(next(iter(here.values())))
    return " and ".join(f"{probability(cut)} {PATHS[path]}" for path, cut in here.items())
