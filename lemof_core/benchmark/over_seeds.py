"""Rows of several seeds in, one row for all of them out: the mean, with an interval that holds patients and fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm, t

_COVERED = 0.975  # each end of a 95 % interval
_Z = float(norm.ppf(_COVERED))


def over_seeds(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """One row per `by`: the mean over seeds and its 95 % interval, how many seeds, the lowest and the highest of them.

    All seeds are tested on the same patients, so what patients contribute to the error does not shrink with more of
    them, and what a fit contributes does: SE^2 = mean patient SE^2 + (variance between seeds) / (their number). The
    quantile is Student's, its degrees of freedom those of Welch and Satterthwaite (Satterthwaite, Biometrics Bulletin
    2, 1946): those of the few seeds where fits dominate, none to speak of where patients do. What another choice of
    patients to learn from would change is in neither. Each end has its own patient SE, as an interval of a bootstrap
    has.

    Args:
        rows: seed, value, lo, hi (NaN where there is none), the columns of `by`, and n, events where there are any.
    Returns: by, value, lo, hi, n_seeds (with a value), seed_lo, seed_hi, seeds (list of int), and n, events. Those of
        a single seed are its own.
    Raises: ValueError where a seed stands twice, so that something else than a seed would be averaged.
    """
    if rows.duplicated([*by, "seed"]).any():
        raise ValueError(f"several rows of one seed for one of {', '.join(by)}")
    counts = {name: (name, "max") for name in ("n", "events") if name in rows}
    parts: dict[str, Any] = {
        "value": ("value", "mean"),
        "lo": ("below", "mean"),
        "hi": ("above", "mean"),
        "n_seeds": ("value", "count"),
        "seed_lo": ("value", "min"),
        "seed_hi": ("value", "max"),
        "seeds": ("seed", list),
        "_of_fits": ("value", "var"),
    }
    rows = rows.astype({"value": float, "lo": float, "hi": float})
    below, above = (rows["value"] - rows["lo"]) / _Z, (rows["hi"] - rows["value"]) / _Z
    found = (
        rows.assign(below=below**2, above=above**2).groupby(list(by), sort=False).agg(**parts, **counts).reset_index()
    )
    of_fits = (found.pop("_of_fits") / found["n_seeds"].where(found["n_seeds"] > 1)).fillna(0.0)
    below, above = (_half_width(found[end], of_fits, found["n_seeds"]) for end in ("lo", "hi"))
    return found.assign(lo=found["value"] - below, hi=found["value"] + above)


def _half_width(of_patients: pd.Series, of_fits: pd.Series, n_seeds: pd.Series) -> np.ndarray:
    """Return half a 95 % interval (N,) from squared standard errors (N,); NaN where there is none of patients."""
    total = (of_patients + of_fits).to_numpy(dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = total**2 * (n_seeds.to_numpy() - 1) / of_fits.to_numpy() ** 2
    freedom[of_fits.to_numpy() == 0] = np.inf
    return np.asarray(t.ppf(_COVERED, freedom) * np.sqrt(total))
