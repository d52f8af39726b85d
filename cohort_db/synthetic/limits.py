"""In: the truth table of a cohort. Out: how well anybody can do on it: AUROC of the true probabilities, with intervals,
and a practical limit, what learners reach that are given the true ECG parameters and u at the same number of stays.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.stats import norm, rankdata

from cohort_db.synthetic.patients import BoolArray, FloatArray

_PROBABILITIES = ("p_latent", "p_x", "p_ecg", "p_ehr")
_FEWEST_OF_A_CLASS = 5
# Skewed laboratory values enter on the log scale, so that the linear learner is not handicapped by their tails.
_SKEWED = ("u_creatinine_last", "u_lactate_max", "u_troponin_last", "notch_mv", "t_scale")
_NOT_FEATURES = ("subject_id", "study_id", "stay_id", "part", "y", "los_hours", "died", "planted", *_PROBABILITIES)


def auroc_interval(y: BoolArray, p: FloatArray) -> dict[str, float] | None:
    """AUROC with a 95 % interval by DeLong's variance; None with fewer than 5 of a class.

    DeLong, DeLong and Clarke-Pearson, Biometrics 44:837, 1988, by ranks: no installed library offers it.
    """
    positive, negative = p[y], p[~y]
    m, n = len(positive), len(negative)
    if min(m, n) < _FEWEST_OF_A_CLASS:
        return None
    ranks = rankdata(np.concatenate([positive, negative]))
    v10 = (ranks[:m] - rankdata(positive)) / n
    v01 = 1 - (ranks[m:] - rankdata(negative)) / m
    auroc = float(v10.mean())
    half = float(norm.ppf(0.975) * np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n))
    return {"auroc": round(auroc, 4), "low": round(max(auroc - half, 0.0), 4), "high": round(min(auroc + half, 1.0), 4)}


def truth_limits(truth: pl.DataFrame) -> dict[str, dict[str, float] | None]:
    """Intervals of the AUROC of each true probability on the rows given."""
    y = truth["y"].to_numpy() == 1
    return {name: auroc_interval(y, truth[name].to_numpy()) for name in _PROBABILITIES}


def practical_limit(fit: pl.DataFrame, test: pl.DataFrame) -> dict[str, dict[str, float] | None] | None:
    """Gradient boosting and logistic regression on the truth, fitted on `fit`; None with too few of a class there."""
    # Imported here because it takes a second that no other use of the package needs.
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    y_fit, y_test = fit["y"].to_numpy() == 1, test["y"].to_numpy() == 1
    if min(y_fit.sum(), (~y_fit).sum()) < _FEWEST_OF_A_CLASS:
        return None
    learners = {
        "gradient_boosting": HistGradientBoostingClassifier(
            max_iter=250,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=20,
            l2_regularization=1.0,
            random_state=0,
        ),
        "logistic_regression": make_pipeline(
            SimpleImputer(keep_empty_features=True), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)
        ),
    }
    x_fit, x_test = _features(fit), _features(test)
    return {
        name: auroc_interval(y_test, learner.fit(x_fit, y_fit).predict_proba(x_test)[:, 1])
        for name, learner in learners.items()
    }


def _features(truth: pl.DataFrame) -> FloatArray:
    """u and the true ECG parameters, NaN where there is no ECG; (n, d)."""
    logs = [pl.col(name).log() for name in _SKEWED]
    return truth.with_columns(logs).drop(_NOT_FEATURES).cast(pl.Float64).to_numpy()
