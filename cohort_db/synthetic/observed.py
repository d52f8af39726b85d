"""In: charted panels. Out: u, the few numbers of the EHR before t0 on which ECG and outcome depend, as arrays (n,).

They are computed from the values as written to the CSV (rounded, plausible), charted and stored by t0, and from nothing
else: whoever reads the folder can compute them again.
"""

from __future__ import annotations

import numpy as np

from cohort_db.synthetic.charting import T0_MINUTE, ChartedPanel, written_values
from cohort_db.synthetic.patients import BoolArray, FloatArray, Patients

Values = dict[str, FloatArray]

# What a functional counts as when its series was never measured before t0.
NEUTRAL: dict[str, float] = {
    "hr_mean": 86.0,
    "hr_sd": 6.0,
    "map_mean": 82.0,
    "rr_mean": 19.5,
    "spo2_mean": 96.6,
    "gcs_min": 15.0,
    "creatinine_last": 1.1,
    "potassium_mean": 4.2,
    "magnesium_mean": 2.05,
    "calcium_mean": 8.5,
    "lactate_max": 1.6,
    "troponin_last": 0.06,
}
U_NAMES = ("age", "sex_male", *NEUTRAL)
U_PANELS = ("vitals", "gcs", "chemistry", "blood_gas", "cardiac")


def observe(patients: Patients, charted: dict[str, ChartedPanel]) -> Values:
    """u by name, in the order of U_NAMES; a functional without any value has its neutral value."""
    values: Values = {"age": patients.age.copy(), "sex_male": patients.sex_male.copy()}
    vitals, gcs = _Window(charted["vitals"]), _Window(charted["gcs"])
    chemistry, gas, cardiac = (_Window(charted[name]) for name in ("chemistry", "blood_gas", "cardiac"))
    values["hr_mean"] = vitals.mean("heart_rate")
    values["hr_sd"] = vitals.sd("heart_rate")
    values["map_mean"] = vitals.mean("map")
    values["rr_mean"] = vitals.mean("respiratory_rate")
    values["spo2_mean"] = vitals.mean("spo2")
    values["gcs_min"] = gcs.lowest_sum(("gcs_eye", "gcs_verbal", "gcs_motor"), "coma")
    values["creatinine_last"] = chemistry.last("creatinine")
    values["potassium_mean"] = chemistry.mean("potassium")
    values["magnesium_mean"] = chemistry.mean("magnesium")
    values["calcium_mean"] = chemistry.mean("calcium")
    values["lactate_max"] = gas.highest("lactate")
    values["troponin_last"] = cardiac.last("troponin_t")
    return {name: np.where(np.isnan(values[name]), NEUTRAL.get(name, np.nan), values[name]) for name in U_NAMES}


class _Window:
    """The usable values of one panel before t0; every summary is (n,), NaN where there is no value."""

    def __init__(self, charted: ChartedPanel) -> None:
        self._written = written_values(charted)
        in_time = (charted.minute <= T0_MINUTE) & (charted.stored <= T0_MINUTE)
        self._usable: dict[str, BoolArray] = {
            name: present & ~charted.spoiled[name] & in_time for name, present in charted.present.items()
        }

    def mean(self, name: str) -> FloatArray:
        usable = self._usable[name]
        count = usable.sum(1)
        total = np.where(usable, self._written[name], 0.0).sum(1)
        return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))

    def sd(self, name: str) -> FloatArray:
        usable = self._usable[name]
        count = usable.sum(1)
        squares = np.where(usable, (self._written[name] - self.mean(name)[:, None]) ** 2, 0.0).sum(1)
        return np.asarray(np.where(count > 1, np.sqrt(squares / np.maximum(count, 1)), np.nan))

    def last(self, name: str) -> FloatArray:
        usable = self._usable[name]
        column = usable.shape[1] - 1 - np.argmax(usable[:, ::-1], axis=1)
        return np.where(usable.any(1), self._written[name][np.arange(len(column)), column], np.nan)

    def highest(self, name: str) -> FloatArray:
        usable = self._usable[name]
        highest = np.where(usable, self._written[name], -np.inf).max(1)
        return np.where(usable.any(1), highest, np.nan)

    def lowest_sum(self, names: tuple[str, ...], usable_name: str) -> FloatArray:
        """The lowest sum of components charted together."""
        usable = self._usable[usable_name]
        total = sum((self._written[name] for name in names), np.zeros(usable.shape))
        return np.where(usable.any(1), np.where(usable, total, np.inf).min(1), np.nan)
