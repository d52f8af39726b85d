"""A confusion matrix and another share of long stays in, the rates that such a ward would see out.

The patients within each class are taken to be the same: sensitivity and specificity stay, only the mix of the classes
changes. Nothing here knows whether that holds.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from lemof_core.evaluation.confusion import Confusion, Interval, Rate, rate
from lemof_core.evaluation.metrics import Z_95


def reweighted(at: Confusion, share: float) -> dict[str, Interval]:
    """PPV, NPV and Alarms (share of stays with one) if `share` of the stays were long; what has no value is absent.

    PPV and NPV have the logit intervals of Mercaldo, Lau and Zhou (2007); where a class is all right or all wrong,
    their adjusted logit, widened to hold the value itself. Alarms has the square-and-add interval of two Wilson
    intervals (Zou and Donner 2008).
    Args:
        share: above 0 and below 1.
    """
    sensitivity, specificity = (_known(at.hit, at.miss), _known(at.calm, at.false))
    if sensitivity is None or specificity is None:
        return {}
    out: dict[str, Interval] = {}
    ppv = _predictive((at.hit, at.miss), (at.false, at.calm), share)
    npv = _predictive((at.calm, at.false), (at.miss, at.hit), 1 - share)
    out |= {name: one for name, one in (("PPV", ppv), ("NPV", npv)) if one is not None}
    return out | {"Alarms": _alarms(rate("", "", at.hit, at.long), rate("", "", at.false, at.n - at.long), share)}


def _known(right: int, wrong: int) -> float | None:
    return right / (right + wrong) if right + wrong else None


def _predictive(kept: tuple[int, int], taken: tuple[int, int], share: float) -> Interval | None:
    """Return the share of the class among what is called so: kept of the class, taken of the other, each (yes, no)."""
    if kept[0] + taken[0] == 0:
        return None
    true, false = kept[0] / sum(kept), taken[0] / sum(taken)
    value = share * true / (share * true + (1 - share) * false)
    if 0 in (*kept, *taken):
        # k^2 / 2 added to each cell, as in the adjusted logit: the logit of 0 or 1 has no variance.
        kept, taken = ((yes + Z_95**2 / 2, no + Z_95**2 / 2) for yes, no in (kept, taken))  # type: ignore[assignment]
        true, false = kept[0] / sum(kept), taken[0] / sum(taken)
    centre = logit(share) + np.log(true / false)
    half = Z_95 * np.sqrt((1 - true) / true / sum(kept) + (1 - false) / false / sum(taken))
    low, high = expit([centre - half, centre + half])
    return value, min(float(low), value), max(float(high), value)


def _alarms(of_long: Rate, of_other: Rate, share: float) -> Interval:
    weights = (share, 1 - share)
    parts = [(float(one.value or 0), float(one.lo or 0), float(one.hi or 0)) for one in (of_long, of_other)]
    value = sum(weight * part[0] for weight, part in zip(weights, parts, strict=True))
    down = np.sqrt(sum((weight * (part[0] - part[1])) ** 2 for weight, part in zip(weights, parts, strict=True)))
    up = np.sqrt(sum((weight * (part[2] - part[0])) ** 2 for weight, part in zip(weights, parts, strict=True)))
    return value, float(value - down), float(value + up)


def reweighted_oe(y: np.ndarray, p: np.ndarray, share: float) -> Interval | None:
    """Observed over expected long stays if `share` of the stays were long; None without a stay of each class.

    The expected share is the mean p of each class, weighted; its interval is normal on the log scale (delta method).
    """
    classes = [p[y == 1], p[y == 0]]
    if min(len(one) for one in classes) < 2:
        return None
    weights = (share, 1 - share)
    expected = sum(weight * float(one.mean()) for weight, one in zip(weights, classes, strict=True))
    if expected == 0:
        return None
    variance = sum(w**2 * float(one.var(ddof=1)) / len(one) for w, one in zip(weights, classes, strict=True))
    half = Z_95 * np.sqrt(variance) / expected
    value = share / expected
    return value, float(value * np.exp(-half)), float(value * np.exp(half))


def class_weights(share_here: float, share: float) -> tuple[float, float]:
    """What each long stay and each other one counts for if `share` of the stays were long; both shares within (0, 1).

    A miss then weighs as much more than a false alarm as the first is greater than the second, and a threshold on the
    uncorrected p is right for that ratio of costs: their quotient is exp(`prior_shift`).
    """
    return share / share_here, (1 - share) / (1 - share_here)


def prior_shift(share_here: float, share: float) -> float:
    """What to add to every logit so that p fits a ward where `share` are long: the shift of the prior log-odds.

    Exact if the patients within each class are the same (Saerens, Latinne and Decaestecker 2002).
    """
    return float(logit(share) - logit(share_here))
