"""Inner predictions of stays in; what each of them says of a stay, how far apart they are, and who was right, out.

Inner predictions are log-odds that nobody calibrated, so 0 is no threshold for them. Each is held against the cut at
which it raises as many alarms as the whole model does: no outcome is asked for it, and all are compared at the same
work for those who answer the alarms. Positions are percentiles for the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from lemof_core.evaluation.verdict_changes import mcnemar_p

LEVELS = ("ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3")
FUSED = "fused"
# Voice -> the ports whose mean it is; one that a run does not store is left out of the mean.
VOICES: dict[str, tuple[str, ...]] = {
    "ecg": LEVELS[:3],
    "ehr": LEVELS[3:],
    **{level: (level,) for level in LEVELS},
    "cross": ("cross",),
}


@dataclass(frozen=True)
class Voices:
    """What the whole model and each of its parts say of N stays.

    names: of the V voices, "fused" first; score (N, V): log-odds; alarm (N, V) bool; percentile (N, V): the share of
    stays with a lower score, ties counted half; cut (V,): the lowest score that raises an alarm, NaN without any.
    """

    names: tuple[str, ...]
    score: np.ndarray
    alarm: np.ndarray
    percentile: np.ndarray
    cut: np.ndarray

    def __getitem__(self, name: str) -> int:
        return self.names.index(name)

    def right(self, y: np.ndarray) -> np.ndarray:
        """Whether each voice (N, V) was right about the outcome y (N,)."""
        return np.asarray(self.alarm == (y == 1)[:, None])


def voices_of(frame: pd.DataFrame, alarm: np.ndarray) -> Voices:
    """The voices that have a score for every row.

    Args:
        frame: logit and the ports (log-odds, NaN where absent) of N stays with both modalities; alarm (N,): the whole
        model's at its threshold.
    """
    found = {FUSED: frame["logit"].to_numpy(float)}
    for name, ports in VOICES.items():
        stored = [port for port in ports if len(frame) and frame[port].notna().all()]
        if stored:
            found[name] = frame[stored].to_numpy(float).mean(axis=1)
    score = np.column_stack(list(found.values()))
    n = len(score)
    percentile = (rankdata(score, axis=0) - 0.5) / max(n, 1)
    k = int(alarm.sum())
    cuts = np.full(len(found), np.nan) if k == 0 else np.sort(score, axis=0)[n - k]
    said = score >= cuts if k else np.zeros_like(score, dtype=bool)
    # The whole model has a threshold for stays with and without an ECG, and its own alarms.
    said[:, 0] = alarm
    return Voices(tuple(found), score, said, percentile, cuts)


def modality_distance(voices: Voices) -> np.ndarray:
    """How many percentiles (N,) the ECG alone places a stay above (+) or below (-) the health record alone, as a share.

    Raises: ValueError where a run stores neither or only one of them.
    """
    return np.asarray(voices.percentile[:, voices["ecg"]] - voices.percentile[:, voices["ehr"]])


def who_was_right(right: np.ndarray) -> pd.DataFrame:
    """How often which of three were right: columns ecg, ehr, fused (bool), n, share, lo, hi; all eight ways, in order.

    Args: right (N, 3) bool: ECG alone, EHR alone, fused. Intervals: Wilson, 95 %; NaN without stays.
    """
    ways = np.array([[ecg, ehr, fused] for ecg in (True, False) for ehr in (True, False) for fused in (True, False)])
    counts = np.array([int((right == way).all(axis=1).sum()) for way in ways])
    table = pd.DataFrame(ways, columns=["ecg", "ehr", "fused"]).assign(n=counts)
    if not len(right):
        return table.assign(share=np.nan, lo=np.nan, hi=np.nan)
    low, high = proportion_confint(counts, len(right), method="wilson")
    return table.assign(share=counts / len(right), lo=low, hi=high)


def against_fused(voices: Voices, y: np.ndarray) -> pd.DataFrame:
    """Each voice beside the whole model: voice, n, right, share, lo, hi (Wilson), only_voice, only_fused, p.

    only_voice: stays that it got right and the whole model wrong; only_fused: the reverse; p: McNemar's exact test that
    both are as likely, adjusted over the voices (Holm 1979); NaN for the whole model itself.
    """
    right = voices.right(y)
    fused = right[:, 0]
    rows, raw = [], []
    for index, name in enumerate(voices.names):
        own = right[:, index]
        mine, its = int((own & ~fused).sum()), int((~own & fused).sum())
        low, high = proportion_confint(int(own.sum()), len(y), method="wilson") if len(y) else (np.nan, np.nan)
        share = own.mean() if len(y) else np.nan
        rows.append((name, len(y), int(own.sum()), share, low, high, mine, its))
        if index:
            raw.append(mcnemar_p(mine, its))
    columns = ["voice", "n", "right", "share", "lo", "hi", "only_voice", "only_fused"]
    adjusted = multipletests(raw, method="holm")[1] if raw else []
    return pd.DataFrame(rows, columns=columns).assign(p=[np.nan, *adjusted])
