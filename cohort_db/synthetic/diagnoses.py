"""In: disease propensities, u and e. Out: the ICD-9 or ICD-10 codes given at discharge, and the code dictionary.

Codes come after everything else: they stratify reports and must never reach a model. An AF on the ECG is coded in nine
of ten patients. Titles are the official ones of ICD-9-CM and ICD-10-CM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import DISEASES, BoolArray, FloatArray, IntArray, Patients

# variant -> ((ICD-9 code, title), (ICD-10 code, title))
_CODES: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "diabetes": (
        (
            "25000",
            "Diabetes mellitus without mention of complication, type II or unspecified type, not stated as "
            "uncontrolled",
        ),
        ("E119", "Type 2 diabetes mellitus without complications"),
    ),
    "diabetes_uncontrolled": (
        (
            "25002",
            "Diabetes mellitus without mention of complication, type II or unspecified type, uncontrolled",
        ),
        ("E1165", "Type 2 diabetes mellitus with hyperglycemia"),
    ),
    "lung_cancer": (
        ("1629", "Malignant neoplasm of bronchus and lung, unspecified"),
        ("C3490", "Malignant neoplasm of unspecified part of unspecified bronchus or lung"),
    ),
    "sepsis": (("99591", "Sepsis"), ("A419", "Sepsis, unspecified organism")),
    "septic_shock": (("99592", "Severe sepsis"), ("R6521", "Severe sepsis with septic shock")),
    "ami": (
        ("41071", "Subendocardial infarction, initial episode of care"),
        ("I214", "Non-ST elevation (NSTEMI) myocardial infarction"),
    ),
    "ami_anterior": (
        ("41011", "Acute myocardial infarction of other anterior wall, initial episode of care"),
        ("I2109", "ST elevation (STEMI) myocardial infarction involving other coronary artery of anterior wall"),
    ),
    "ami_inferior": (
        ("41041", "Acute myocardial infarction of other inferior wall, initial episode of care"),
        ("I2119", "ST elevation (STEMI) myocardial infarction involving other coronary artery of inferior wall"),
    ),
    "dysrhythmia": (
        ("42789", "Other specified cardiac dysrhythmias"),
        ("I498", "Other specified cardiac arrhythmias"),
    ),
    "fibrillation": (("42731", "Atrial fibrillation"), ("I4891", "Unspecified atrial fibrillation")),
    "ventricular": (("4271", "Paroxysmal ventricular tachycardia"), ("I472", "Ventricular tachycardia")),
    "electrolyte": (("2761", "Hyposmolality and/or hyponatremia"), ("E871", "Hypo-osmolality and hyponatremia")),
    "hyperkalemia": (("2767", "Hyperpotassemia"), ("E875", "Hyperkalemia")),
    "hypokalemia": (("2768", "Hypopotassemia"), ("E876", "Hypokalemia")),
    "ckd": (("5859", "Chronic kidney disease, unspecified"), ("N189", "Chronic kidney disease, unspecified")),
    "heart_failure": (("4280", "Congestive heart failure, unspecified"), ("I509", "Heart failure, unspecified")),
    "pneumonia": (("486", "Pneumonia, organism unspecified"), ("J189", "Pneumonia, unspecified organism")),
    "kidney_failure": (("5849", "Acute kidney failure, unspecified"), ("N179", "Acute kidney failure, unspecified")),
    "hypertension": (("4019", "Unspecified essential hypertension"), ("I10", "Essential (primary) hypertension")),
    "hyperlipidemia": (("2724", "Other and unspecified hyperlipidemia"), ("E785", "Hyperlipidemia, unspecified")),
    "reflux": (("53081", "Esophageal reflux"), ("K219", "Gastro-esophageal reflux disease without esophagitis")),
}
_COMPANIONS = {"hypertension": 0.55, "hyperlipidemia": 0.4, "reflux": 0.25}
# Log-odds of a code at an average propensity.
_BASE_LOG_ODDS = {
    "diabetes": -1.2,
    "lung_cancer": -4.0,
    "sepsis": -1.6,
    "ami": -3.0,
    "dysrhythmia": -1.9,
    "electrolyte": -0.6,
    "ckd": -1.7,
    "heart_failure": -1.3,
    "pneumonia": -2.0,
    "kidney_failure": -1.0,
}
_P_FIBRILLATION_CODED = 0.9


@dataclass(frozen=True)
class CodedDiagnoses:
    """One row a code: `row` is the patient's row, `seq_num` counts from 1 within a patient."""

    row: IntArray
    seq_num: IntArray
    icd_code: list[str]
    icd_version: IntArray


def draw_diagnoses(
    patients: Patients, u: Values, e: Values, icd_version: IntArray, rng: np.random.Generator
) -> CodedDiagnoses:
    """Every patient has at least one code."""
    variants = _variants(patients, u, e, rng)
    row, seq_num, code, version = [], [], [], []
    for i in range(patients.n):
        names = [name for name, coded in variants.items() if coded[i]] or ["hypertension"]
        for k, name in enumerate(names, start=1):
            row.append(i)
            seq_num.append(k)
            code.append(_CODES[name][int(icd_version[i]) - 9][0])
            version.append(int(icd_version[i]))
    return CodedDiagnoses(np.array(row), np.array(seq_num), code, np.array(version))


def code_dictionary() -> list[tuple[str, int, str]]:
    """(icd_code, icd_version, long_title) of every code the cohort can hold, as in d_icd_diagnoses."""
    return [(code, 9 + k, title) for pair in _CODES.values() for k, (code, title) in enumerate(pair)]


def _variants(patients: Patients, u: Values, e: Values, rng: np.random.Generator) -> dict[str, BoolArray]:
    """Which codes each patient has, the disease decided first and its variant by what was seen."""
    found = {name: rng.random(patients.n) < p for name, p in _coding_probability(patients, u, e).items()}
    codes: dict[str, BoolArray] = {}
    uncontrolled = patients.latents["diabetes"] > 1.2
    codes["diabetes"], codes["diabetes_uncontrolled"] = (
        found["diabetes"] & ~uncontrolled,
        found["diabetes"] & uncontrolled,
    )
    shock = u["lactate_max"] > 4
    codes["sepsis"], codes["septic_shock"] = found["sepsis"], found["sepsis"] & shock
    anterior, inferior = e["ste_ant"] > 0, e["ste_inf"] > 0
    codes["ami_anterior"], codes["ami_inferior"] = found["ami"] & anterior, found["ami"] & inferior
    codes["ami"] = found["ami"] & ~anterior & ~inferior
    af, ventricular = e["af"] > 0, e["pvc"] > 0
    codes["fibrillation"] = found["dysrhythmia"] & af
    codes["ventricular"] = found["dysrhythmia"] & ~af & ventricular
    codes["dysrhythmia"] = found["dysrhythmia"] & ~af & ~ventricular
    high, low = u["potassium_mean"] > 5.1, u["potassium_mean"] < 3.6
    codes["hyperkalemia"], codes["hypokalemia"] = found["electrolyte"] & high, found["electrolyte"] & low
    codes["electrolyte"] = found["electrolyte"] & ~high & ~low
    for name in ("lung_cancer", "ckd", "heart_failure", "pneumonia", "kidney_failure"):
        codes[name] = found[name]
    for name, p in _COMPANIONS.items():
        codes[name] = rng.random(patients.n) < p
    return codes


def _coding_probability(patients: Patients, u: Values, e: Values) -> dict[str, FloatArray]:
    """P(coded) by disease: the propensity, and what chart and ECG showed."""
    seen = {
        "sepsis": 0.5 * np.log(u["lactate_max"] / 1.75) / 0.42,
        "ami": 1.0 * np.log(u["troponin_last"] / 0.06) / 1.1 + 2.0 * (e["ste_ant"] + e["ste_inf"]) + 0.5 * e["std"],
        "dysrhythmia": 0.8 * e["pvc"],
        "electrolyte": 0.5 * np.abs(u["potassium_mean"] - 4.2) / 0.52,
        "ckd": 0.8 * np.log(u["creatinine_last"] / 1.1) / 0.58,
        "kidney_failure": 0.8 * np.log(u["creatinine_last"] / 1.1) / 0.58,
    }
    odds = {
        name: _BASE_LOG_ODDS[name] + 1.5 * patients.latents[name] + seen.get(name, np.zeros(patients.n))
        for name in DISEASES
    }
    p = {name: np.asarray(expit(value)) for name, value in odds.items()}
    p["dysrhythmia"] = np.where(e["af"] > 0, _P_FIBRILLATION_CODED, p["dysrhythmia"])
    return p
