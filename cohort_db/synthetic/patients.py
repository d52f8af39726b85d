"""In: how many, and a random generator. Out: patients' hidden severity, disease propensities, age, sex and body size.

None of the latents is ever written: they reach the record only through what is charted and coded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

DISEASES = (
    "diabetes",
    "lung_cancer",
    "sepsis",
    "ami",
    "dysrhythmia",
    "electrolyte",
    "ckd",
    "heart_failure",
    "pneumonia",
    "kidney_failure",
)
# Diseases that come together share a factor: (factor, weight). Factors and rests are standard normal.
_SHARED: dict[str, tuple[str, float]] = {
    "diabetes": ("renal", 0.35),
    "lung_cancer": ("infection", 0.2),
    "sepsis": ("infection", 0.6),
    "ami": ("cardiac", 0.4),
    "dysrhythmia": ("cardiac", 0.45),
    "electrolyte": ("renal", 0.3),
    "ckd": ("renal", 0.6),
    "heart_failure": ("cardiac", 0.6),
    "pneumonia": ("infection", 0.5),
    "kidney_failure": ("renal", 0.55),
}
_SEVERITY_LOADS = {"sepsis": 0.35, "heart_failure": 0.2, "kidney_failure": 0.2, "pneumonia": 0.2}
_AGE_LOADS = {"heart_failure": 0.3, "dysrhythmia": 0.3, "ckd": 0.2}
AGE_CENTRE, AGE_SD = 64.0, 15.0
YOUNGEST, OLDEST = 18, 91  # MIMIC-IV groups everybody above 89 as 91


@dataclass(frozen=True)
class Patients:
    """Arrays of length n: `latents` by name (standard normal), age in whole years, sex_male 0/1, body size."""

    latents: dict[str, FloatArray]
    age: FloatArray
    sex_male: FloatArray
    height_cm: FloatArray
    weight_kg: FloatArray

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.age)

    def take(self, rows: IntArray) -> Patients:
        """The patients of these rows; a row may be taken twice."""
        latents = {name: values[rows] for name, values in self.latents.items()}
        return Patients(latents, self.age[rows], self.sex_male[rows], self.height_cm[rows], self.weight_kg[rows])


def draw_patients(n: int, rng: np.random.Generator) -> Patients:
    """Patients are drawn independently; each latent has mean 0 and variance 1."""
    factors = {name: rng.standard_normal(n) for name in ("cardiac", "renal", "infection")}
    latents: dict[str, FloatArray] = {}
    for disease in DISEASES:
        factor, weight = _SHARED[disease]
        latents[disease] = weight * factors[factor] + np.sqrt(1 - weight**2) * rng.standard_normal(n)
    latents["severity"] = mixed(_SEVERITY_LOADS, latents, rng)
    ageing = mixed(_AGE_LOADS, latents, rng)
    age = np.clip(AGE_CENTRE + AGE_SD * ageing, YOUNGEST, OLDEST).round()
    sex_male = (rng.random(n) < 0.56).astype(np.float64)
    height_cm = np.clip(163 + 12 * sex_male + 7 * rng.standard_normal(n), 140, 205).round()
    bmi = 28 * np.exp(0.2 * (0.3 * latents["diabetes"] + 0.95 * rng.standard_normal(n)))
    weight_kg = np.clip(bmi * (height_cm / 100) ** 2, 38, 220).round(1)
    return Patients(latents, age, sex_male, height_cm, weight_kg)


def mixed(loads: dict[str, float], latents: dict[str, FloatArray], rng: np.random.Generator) -> FloatArray:
    """A latent of about unit variance: the weighted sum of others plus own noise for the rest."""
    own_variance = max(0.0, 1.0 - sum(weight**2 for weight in loads.values()))
    n = len(next(iter(latents.values())))
    total: FloatArray = np.sqrt(own_variance) * rng.standard_normal(n)
    for name, weight in loads.items():
        total = total + weight * latents[name]
    return total
