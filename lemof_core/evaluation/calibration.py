"""Outcomes and probabilities in, what is observed at each probability out: a smooth curve with a band, and groups."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.special import logit
from scipy.stats import norm
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from lemof_core.evaluation.confusion import Interval, rate
from lemof_core.evaluation.metrics import enough

MIN_PER_GROUP = 8
MOST_GROUPS = 10
N_BINS = 40
N_POINTS = 61
_FEW = 100  # of the rarer class: below it one knot less
_KNOTS = {True: (0.1, 0.5, 0.9), False: (0.05, 0.35, 0.65, 0.95)}  # Harrell 2015, table 2.3


def smooth_curve(y: np.ndarray, p: np.ndarray, subject_ids: np.ndarray) -> pd.DataFrame | None:
    """The share of long stays as a smooth function of p: predicted, observed, lo, hi (95 %), within the 1st to 99th
    percentile of p.

    A logistic regression on a restricted cubic spline of logit(p) (Austin and Steyerberg 2014), its band from the
    patient-clustered covariance. None with fewer than MIN_EVENTS of a class, too few different p, or no finite fit.
    """
    if not enough(y):
        return None
    x = logit(np.clip(p, 1e-6, 1 - 1e-6))
    few = bool(min((y == 1).sum(), (y == 0).sum()) < _FEW)
    low, *middle, high = np.quantile(x, _KNOTS[few])
    knots = sorted(set(middle) - {low, high})
    if not low < high or len(knots) < len(middle):
        return None
    first, last = np.quantile(x, [0.01, 0.99])
    at = np.linspace(float(first), float(last), N_POINTS)
    formula = "y ~ cr(x, knots=knots, lower_bound=low, upper_bound=high) - 1"
    data = pd.DataFrame({"y": y.astype(float), "x": x})
    patients = np.unique(subject_ids, return_inverse=True)[1]
    with warnings.catch_warnings(), np.errstate(over="ignore"):
        warnings.simplefilter("error", PerfectSeparationWarning)
        try:
            fit = smf.glm(formula, data, family=sm.families.Binomial()).fit(
                cov_type="cluster", cov_kwds={"groups": patients}
            )
            band = fit.get_prediction(pd.DataFrame({"x": at})).summary_frame()
        except (PerfectSeparationWarning, np.linalg.LinAlgError):
            return None
    found = pd.DataFrame(
        {
            "predicted": 1 / (1 + np.exp(-at)),
            "observed": band["mean"].to_numpy(),
            "lo": band["mean_ci_lower"].to_numpy(),
            "hi": band["mean_ci_upper"].to_numpy(),
        }
    )
    return found if np.isfinite(found.to_numpy()).all() else None


def calibration_groups(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """Groups of equal size by p: predicted (mean p), observed, lo, hi (95 % Wilson), n, events; empty for no sample."""
    groups = np.array_split(np.argsort(p, kind="stable"), max(1, min(MOST_GROUPS, len(p) // MIN_PER_GROUP)))
    rows = []
    for members in groups:
        if len(members):
            one = rate("observed", "", int(y[members].sum()), len(members))
            rows.append((float(p[members].mean()), one.value, one.lo, one.hi, one.n, one.k))
    return pd.DataFrame(rows, columns=["predicted", "observed", "lo", "hi", "n", "events"])


def histogram(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    """How many stays have which p, in forty equal bins of [0, 1]: middle, long, other."""
    edges = np.linspace(0, 1, N_BINS + 1)
    long, other = (np.histogram(p[y == label], edges)[0] for label in (1, 0))
    return pd.DataFrame({"middle": (edges[1:] + edges[:-1]) / 2, "long": long, "other": other})


def observed_over_expected(y: np.ndarray, p: np.ndarray, subject_ids: np.ndarray) -> Interval | None:
    """Long stays over the sum of p, with its 95 % interval: normal on the log scale, patients as the units.

    The linearised variance of a ratio of two sums over patients (Särndal, Swensson and Wretman 1992, section 5.6), for
    where no bootstrap is stored. None with fewer than MIN_EVENTS of a class.
    """
    if not enough(y) or not p.sum() > 0:
        return None
    patients = np.unique(subject_ids, return_inverse=True)[1]
    influence = np.bincount(patients, weights=y / y.sum() - p / p.sum())
    half = float(norm.ppf(0.975)) * float(np.sqrt((influence**2).sum()))
    value = float(y.sum() / p.sum())
    return value, float(value * np.exp(-half)), float(value * np.exp(half))
