"""In: nothing. Out: the table of vitals and labs the synthetic cohort charts, with MIMIC-IV ids, units and ranges.

Centres and spreads were set by hand to resemble adult ICU patients; item ids, units and reference ranges are those of
the MIMIC-IV 2.2 dictionaries d_items and d_labitems.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

FAHRENHEIT_ITEMID = 223761
CELSIUS_ITEMID = 223762
# Charted instead of the cuff's ids while the patient has an arterial line.
ARTERIAL_ITEMIDS: Mapping[str, int] = {"sbp": 220050, "dbp": 220051, "map": 220052}
GCS_ITEMIDS: Mapping[str, int] = {"gcs_eye": 220739, "gcs_verbal": 223900, "gcs_motor": 223901}


@dataclass(frozen=True)
class Panel:
    """Series that are charted or drawn together, hence share times.

    Args:
        interval_h: hours between two charting times: every patient has an own interval from this range.
        p_measured: probability that the panel is ever measured in a patient with an average `driver`.
        driver: latent that makes measuring likelier, or "" when it never depends on the patient.
        lab: written to labevents with specimen and storetime of the laboratory; otherwise to chartevents.
    """

    name: str
    interval_h: tuple[float, float]
    p_measured: float = 1.0
    driver: str = ""
    lab: bool = True


@dataclass(frozen=True)
class Series:
    """One variable: its level in a patient is centre + between_sd * (loads . latents + own noise).

    Args:
        between_sd, within_sd: spread of patients' levels, and of values around a level; on the log scale when `log`.
        low, high: values are clipped to this range, which is inside what any plausibility rule accepts.
        loads: weight of each latent; the sum of squares is below 1, the rest is the patient's own noise.
    """

    name: str
    panel: str
    itemid: int
    unit: str
    decimals: int
    centre: float
    between_sd: float
    within_sd: float
    low: float
    high: float
    loads: Mapping[str, float] = field(default_factory=dict)
    log: bool = False
    reference: tuple[float, float] | None = None


PANELS: tuple[Panel, ...] = (
    Panel("vitals", (1.0, 1.0), lab=False),
    Panel("temperature", (4.0, 4.0), lab=False),
    Panel("oxygen", (4.0, 4.0), 0.55, "severity", lab=False),
    Panel("gcs", (4.0, 4.0), lab=False),
    Panel("fingerstick", (6.0, 6.0), 0.5, "diabetes", lab=False),
    Panel("chemistry", (7.0, 12.0)),
    Panel("blood_count", (9.0, 13.0)),
    Panel("coagulation", (12.0, 18.0), 0.75, "severity"),
    Panel("blood_gas", (6.0, 10.0), 0.7, "severity"),
    Panel("liver", (12.0, 20.0), 0.6, "severity"),
    Panel("cardiac", (6.0, 10.0), 0.88, "ami"),
    Panel("bnp", (48.0, 72.0), 0.3, "heart_failure"),
    Panel("crp", (24.0, 36.0), 0.3, "sepsis"),
)

# name, panel, itemid, unit, decimals, centre, between_sd, within_sd, low, high, loads; log scale and reference by name
SERIES: tuple[Series, ...] = (
    Series("heart_rate", "vitals", 220045, "bpm", 0, 86, 14, 6, 35, 190,
           {"severity": 0.35, "sepsis": 0.3, "dysrhythmia": 0.2}),
    Series("sbp", "vitals", 220179, "mmHg", 0, 120, 16, 9, 60, 220, {"severity": -0.3, "sepsis": -0.25, "ckd": 0.2}),
    Series("dbp", "vitals", 220180, "mmHg", 0, 63, 9, 6, 28, 130, {"severity": -0.25, "sepsis": -0.25}),
    Series("map", "vitals", 220181, "mmHg", 0, 0, 0, 1.2, 35, 160),
    Series("respiratory_rate", "vitals", 220210, "insp/min", 0, 19.5, 3.4, 2.6, 6, 50,
           {"severity": 0.35, "pneumonia": 0.35, "heart_failure": 0.15}),
    Series("spo2", "vitals", 220277, "%", 0, 96.6, 1.6, 1.2, 75, 100,
           {"pneumonia": -0.4, "lung_cancer": -0.3, "severity": -0.2}),
    Series("temperature", "temperature", CELSIUS_ITEMID, "°C", 1, 36.9, 0.42, 0.25, 33, 41.5,
           {"sepsis": 0.5, "pneumonia": 0.3}),
    Series("fio2", "oxygen", 223835, "", 0, 42, 0.26, 0.12, 21, 100, {"severity": 0.4, "pneumonia": 0.4}, log=True),
    # Depth of coma on an arbitrary scale; charted as the three components of the Glasgow scale, never itself.
    Series("coma", "gcs", 0, "", 3, 0.1, 1.0, 0.3, -9, 9, {"severity": 0.5, "sepsis": 0.15}),
    Series("glucose_chart", "fingerstick", 225664, "mg/dL", 0, 135, 0.26, 0.15, 40, 600,
           {"diabetes": 0.65, "severity": 0.15}, log=True),
    Series("creatinine", "chemistry", 50912, "mg/dL", 1, 1.1, 0.55, 0.06, 0.2, 14,
           {"ckd": 0.5, "kidney_failure": 0.55}, log=True, reference=(0.5, 1.2)),
    Series("urea_nitrogen", "chemistry", 51006, "mg/dL", 0, 21, 0.55, 0.06, 3, 180,
           {"ckd": 0.45, "kidney_failure": 0.5, "heart_failure": 0.15}, log=True, reference=(6, 20)),
    Series("sodium", "chemistry", 50983, "mEq/L", 0, 138.5, 3.6, 1.2, 115, 165,
           {"electrolyte": -0.5, "heart_failure": -0.2}, reference=(133, 145)),
    Series("potassium", "chemistry", 50971, "mEq/L", 1, 4.2, 0.5, 0.2, 2.4, 7.5,
           {"kidney_failure": 0.25, "ckd": 0.1, "electrolyte": 0.1}, reference=(3.3, 5.1)),
    Series("chloride", "chemistry", 50902, "mEq/L", 0, 102.5, 4.2, 1.2, 80, 130,
           {"electrolyte": -0.4}, reference=(96, 108)),
    Series("bicarbonate", "chemistry", 50882, "mEq/L", 0, 24, 3.4, 1.0, 8, 42,
           {"kidney_failure": -0.35, "sepsis": -0.3}, reference=(22, 32)),
    Series("anion_gap", "chemistry", 50868, "mEq/L", 0, 0, 0, 0.8, 2, 40, reference=(8, 20)),
    Series("calcium", "chemistry", 50893, "mg/dL", 1, 8.5, 0.6, 0.15, 5.5, 13,
           {"electrolyte": -0.35}, reference=(8.4, 10.3)),
    Series("magnesium", "chemistry", 50960, "mg/dL", 1, 2.05, 0.32, 0.09, 0.8, 4.5,
           {"electrolyte": -0.25, "ckd": 0.1}, reference=(1.6, 2.6)),
    Series("phosphate", "chemistry", 50970, "mg/dL", 1, 3.5, 0.95, 0.25, 0.8, 11,
           {"kidney_failure": 0.35, "ckd": 0.2}, reference=(2.7, 4.5)),
    Series("glucose", "chemistry", 50931, "mg/dL", 0, 132, 0.27, 0.14, 40, 700,
           {"diabetes": 0.65, "severity": 0.15}, log=True, reference=(70, 100)),
    Series("hemoglobin", "blood_count", 51222, "g/dL", 1, 10.4, 1.8, 0.3, 5, 18,
           {"ckd": -0.3, "lung_cancer": -0.25}, reference=(13.7, 17.5)),
    Series("hematocrit", "blood_count", 51221, "%", 1, 0, 0, 0.5, 15, 56, reference=(40, 51)),
    Series("wbc", "blood_count", 51301, "K/uL", 1, 10.6, 0.42, 0.1, 0.3, 80,
           {"sepsis": 0.5, "pneumonia": 0.2}, log=True, reference=(4, 10)),
    Series("platelets", "blood_count", 51265, "K/uL", 0, 195, 0.42, 0.06, 8, 900,
           {"sepsis": -0.3, "severity": -0.15}, log=True, reference=(150, 400)),
    Series("inr", "coagulation", 51237, "", 1, 1.3, 0.24, 0.05, 0.8, 9, {"severity": 0.25},
           log=True, reference=(0.9, 1.1)),
    Series("ptt", "coagulation", 51275, "sec", 1, 33, 0.24, 0.1, 18, 150, {"severity": 0.2},
           log=True, reference=(25, 36.5)),
    Series("lactate", "blood_gas", 50813, "mmol/L", 1, 1.6, 0.45, 0.14, 0.4, 18,
           {"severity": 0.5, "sepsis": 0.4}, log=True, reference=(0.5, 2.0)),
    Series("pco2", "blood_gas", 50818, "mm Hg", 0, 40, 0.17, 0.07, 18, 110, {"pneumonia": 0.2},
           log=True, reference=(35, 45)),
    Series("po2", "blood_gas", 50821, "mm Hg", 0, 105, 0.3, 0.2, 35, 450, {"pneumonia": -0.35},
           log=True, reference=(85, 105)),
    Series("ph", "blood_gas", 50820, "units", 2, 0, 0, 0.015, 6.9, 7.65, reference=(7.35, 7.45)),
    Series("base_excess", "blood_gas", 50802, "mEq/L", 0, 0, 0, 0.7, -25, 22),
    Series("bilirubin", "liver", 50885, "mg/dL", 1, 0.7, 0.7, 0.08, 0.1, 35, {"sepsis": 0.2},
           log=True, reference=(0, 1.5)),
    Series("alt", "liver", 50861, "IU/L", 0, 31, 0.8, 0.1, 4, 5000, {"severity": 0.25}, log=True, reference=(0, 40)),
    Series("ast", "liver", 50878, "IU/L", 0, 40, 0.8, 0.1, 6, 6000, {"severity": 0.3}, log=True, reference=(0, 40)),
    Series("albumin", "liver", 50862, "g/dL", 1, 3.2, 0.5, 0.08, 1.2, 5.2, {"severity": -0.35}, reference=(3.5, 5.2)),
    Series("troponin_t", "cardiac", 51003, "ng/mL", 2, 0.06, 1.25, 0.15, 0.01, 20,
           {"ami": 0.6, "kidney_failure": 0.15}, log=True, reference=(0, 0.01)),
    Series("ck_mb", "cardiac", 50911, "ng/mL", 0, 5, 0.9, 0.2, 1, 400, {"ami": 0.6}, log=True, reference=(0, 10)),
    Series("nt_probnp", "bnp", 50963, "pg/mL", 0, 2400, 1.2, 0.1, 20, 70000,
           {"heart_failure": 0.65, "ckd": 0.2}, log=True, reference=(0, 177)),
    Series("crp", "crp", 50889, "mg/L", 1, 40, 1.1, 0.15, 0.3, 450, {"sepsis": 0.5, "pneumonia": 0.3}, log=True,
           reference=(0, 5)),
)  # fmt: skip


def panel_series(panel: str) -> tuple[Series, ...]:
    """The series charted in one panel, in table order."""
    return tuple(series for series in SERIES if series.panel == panel)
