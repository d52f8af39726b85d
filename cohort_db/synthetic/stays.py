"""In: how many stays of which kind, and the outcome rule. Out: a batch of stays with ids, times, charts and outcomes.

A cohort stay satisfies the default cohort rules (adult, first ICU stay, still in the ICU at 24 h). The others do not,
and are there so that the rules have something to leave out: second stays, patients under 18, stays that end by 24 h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohort_db.synthetic.charting import ChartedPanel, chart_patients
from cohort_db.synthetic.observed import observe
from cohort_db.synthetic.patients import BoolArray, FloatArray, IntArray, Patients, draw_patients
from cohort_db.synthetic.stay_end import draw_early_end, draw_stay_end
from cohort_db.synthetic.truth import Draw, Truth

TimeArray = NDArray[np.datetime64]
_FIRST_TIME = np.datetime64("2110-03-01T00:00:00", "us")
_YEARS_SPREAD = 85
# Severity after t0, in its own standard deviations: those who stay get a little worse, those who leave recover.
_SHIFT_STAYING, _SHIFT_LEAVING = 0.3, -0.9
FIRST_STAY_ID = 700_000_000
# Kind of id -> its first number, and how many a stay needs at most.
_FIRST_IDS = {
    "subject": (500_000_000, 1),
    "hadm": (600_000_000, 1),
    "stay": (FIRST_STAY_ID, 1),
    "study": (800_000_000, 4),
}
_IDS_PER_SEED, _IDS_PER_KIND = 100_000, 100_000_000


@dataclass(frozen=True)
class Mix:
    """How many stays of each kind, in the order of rows of a batch. `second` must not exceed `cohort`."""

    cohort: int
    second: int = 0
    minor: int = 0
    early: int = 0

    @property
    def total(self) -> int:
        """Number of rows."""
        return self.cohort + self.second + self.minor + self.early


@dataclass(frozen=True)
class StayBatch:
    """n stays; all arrays (n,). Rows before `n_cohort` are cohort stays. Times are whole seconds."""

    n_cohort: int
    subject_id: IntArray
    hadm_id: IntArray
    stay_id: IntArray
    patients: Patients
    charted: dict[str, ChartedPanel]
    draw: Draw
    los_minutes: IntArray
    died: BoolArray
    intime: TimeArray
    admittime: TimeArray
    dischtime: TimeArray
    second: BoolArray

    @property
    def n(self) -> int:
        """Number of stays."""
        return len(self.stay_id)

    @property
    def outtime(self) -> TimeArray:
        """End of the ICU stay."""
        return np.asarray(self.intime + _minutes(self.los_minutes))

    @property
    def shift(self) -> FloatArray:
        """How severity changes after t0, see `written_values`."""
        return np.where(self.draw.y, _SHIFT_STAYING, _SHIFT_LEAVING)


class Ids:
    """Unique numbers of 9 digits, out of MIMIC-IV's 8-digit ranges, so that real and synthetic people never meet.

    Subjects begin at 5e8, admissions at 6e8, stays at 7e8, ECG studies at 8e8, and each seed (modulo 1,000) at a block
    of its own in them. A block holds 100,000 ids, which are 100,000 stays or the ECGs of 25,000: two seeds share no id
    up to that size, and a larger cohort runs on into the blocks that follow.
    """

    def __init__(self, n_stays: int, seed: int) -> None:
        rng = np.random.default_rng([seed, 0])
        block = seed % 1000 * _IDS_PER_SEED
        self._pools = {
            kind: first + (block + rng.permutation(per_stay * n_stays)) % _IDS_PER_KIND
            for kind, (first, per_stay) in _FIRST_IDS.items()
        }
        self._used = dict.fromkeys(self._pools, 0)

    def take(self, kind: str, n: int) -> IntArray:
        """n ids that were never given before."""
        start = self._used[kind]
        self._used[kind] = start + n
        return np.asarray(self._pools[kind][start : start + n], dtype=np.int64)


def draw_batch(mix: Mix, truth: Truth, ids: Ids, rng: np.random.Generator) -> StayBatch:
    """Patients, charts, ECG parameters, outcomes and times of one batch, consistent with one another."""
    n = mix.total
    seconds = np.arange(mix.cohort, mix.cohort + mix.second)
    firsts = rng.choice(mix.cohort, size=mix.second, replace=False)
    patients = _same_persons(draw_patients(n, rng), seconds, firsts)
    minors = slice(mix.cohort + mix.second, mix.cohort + mix.second + mix.minor)
    patients.age[minors] = rng.integers(15, 18, mix.minor)
    charted = chart_patients(patients, rng)
    draw = truth.draw_outcome(observe(patients, charted), rng)
    end = draw_stay_end(draw.y, patients.latents["severity"], rng)
    early = draw_early_end(patients.latents["severity"], rng)
    is_early = np.arange(n) >= n - mix.early
    los_minutes = np.where(is_early, early.los_minutes, end.los_minutes)
    died = np.where(is_early, early.died, end.died)
    died[firsts] = False
    intime, admittime, dischtime = _times(mix, los_minutes, died, firsts, rng)
    same_admission = np.zeros(n, dtype=bool)
    same_admission[seconds] = admittime[seconds] == admittime[firsts]
    subject_id, hadm_id = ids.take("subject", n), ids.take("hadm", n)
    subject_id[seconds] = subject_id[firsts]
    hadm_id[seconds] = np.where(same_admission[seconds], hadm_id[firsts], hadm_id[seconds])
    second = np.isin(np.arange(n), seconds)
    return StayBatch(
        mix.cohort, subject_id, hadm_id, ids.take("stay", n), patients, charted, draw, los_minutes, died, intime,
        admittime, dischtime, second,
    )  # fmt: skip


def _same_persons(patients: Patients, seconds: IntArray, firsts: IntArray) -> Patients:
    """Second stays belong to the persons of the first stays."""
    rows = np.arange(patients.n)
    rows[seconds] = firsts
    return patients.take(rows)


def _times(
    mix: Mix, los_minutes: IntArray, died: BoolArray, firsts: IntArray, rng: np.random.Generator
) -> tuple[TimeArray, TimeArray, TimeArray]:
    """ICU admission, hospital admission and discharge; half of the second stays fall into the same admission.

    A second stay begins 36 h or more after the first ended: its 24 h of ECGs before never reach into the first.
    """
    n, start = len(los_minutes), mix.cohort
    intime = _FIRST_TIME + rng.integers(0, _YEARS_SPREAD * 365 * 86_400, n).astype("timedelta64[s]")
    before = _minutes(rng.integers(5, 600, n))
    ward = _minutes(np.where(died, 0, 60 * rng.exponential(72, n) + 30).astype(np.int64))
    admittime, dischtime = intime - before, intime + _minutes(los_minutes) + ward
    seconds = slice(start, start + mix.second)
    same = rng.random(mix.second) < 0.5
    icu_end = intime[firsts] + _minutes(los_minutes[firsts])
    intime[seconds] = np.where(
        same,
        icu_end + _minutes(rng.integers(36 * 60, 96 * 60, mix.second)),
        dischtime[firsts] + _minutes(rng.integers(30 * 1440, 200 * 1440, mix.second)),
    )
    admittime[seconds] = np.where(same, admittime[firsts], intime[seconds] - before[seconds])
    dischtime[seconds] = intime[seconds] + _minutes(los_minutes[seconds]) + ward[seconds]
    dischtime[firsts] = np.where(same, dischtime[seconds], dischtime[firsts])
    return intime, admittime, dischtime


def _minutes(minutes: IntArray) -> NDArray[np.timedelta64]:
    return np.asarray((60 * minutes).astype("timedelta64[s]"))
