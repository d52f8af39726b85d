"""A group's predictions in, its metrics out, in the columns and by the very functions of `lemof evaluate`.

A whole split has stored metrics, and a report shows those. A chosen group of samples has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd

from lemof_core.evaluation.metrics import N_DRAWS, estimates

AGE_BANDS = ((18, 45), (45, 65), (65, 80), (80, 200))  # those of `lemof evaluate`; a test holds them equal
FEWER_DRAWS = 200
MANY = 20_000  # samples: above it a thousand draws would take gigabytes


def n_draws(n: int) -> int:
    """How many bootstrap draws of patients the intervals of a group of n samples come from."""
    return N_DRAWS if n <= MANY else FEWER_DRAWS


def group_metrics(frame: pd.DataFrame, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """The metrics of the final prediction: everybody, by disease, sex and age.

    Args:
        frame: the columns of `read_analysis.analysed`.
        thresholds: path -> its tuned cut; a path without one is absent.
    Returns: source ("final"), stratum_kind, stratum, deaths, name, value, lo, hi (NaN: not estimable), n, events, note.
    """
    died = frame["died_before_cut"].to_numpy(bool)
    rows = []
    for kind, name, chosen in _strata(frame):
        for deaths in ("with", "without") if kind in ("all", "disease") else ("with",):
            some = frame[chosen if deaths == "with" else chosen & ~died]
            found = estimates(
                some["label"].to_numpy(float),
                some["p"].to_numpy(float),
                some["subject_id"].to_numpy(),
                thresholds=some["path"].astype(object).map(dict(thresholds)).to_numpy(float),
                n_draws=n_draws(len(frame)),
            )
            of_stratum = {"source": "final", "stratum_kind": kind, "stratum": name, "deaths": deaths}
            rows += [of_stratum | asdict(one) for one in found]
    return pd.DataFrame(rows).astype({"value": float, "lo": float, "hi": float})


def _strata(frame: pd.DataFrame) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (kind, name, members (N,) bool) in the words of `lemof evaluate`."""
    yield "all", "all", np.ones(len(frame), dtype=bool)
    groups = frame["diseases"].astype(object).str.split(", ").explode()
    for group in sorted(set(groups) - {""}):
        yield "disease", str(group), frame.index.isin(groups.index[groups == group])
    for sex, name in (("F", "women"), ("M", "men")):
        yield "sex", name, (frame["sex"] == sex).to_numpy(bool)
    age = frame["age_years"].to_numpy()
    for low, high in AGE_BANDS:
        yield "age", f"{low}-{high - 1}" if high < 150 else f"{low}+", (age >= low) & (age < high)
