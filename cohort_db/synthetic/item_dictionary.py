"""In: nothing. Out: the rows of d_items and d_labitems for everything the synthetic cohort charts or gives.

Labels, categories and units are those of MIMIC-IV 2.2.
"""

from __future__ import annotations

import polars as pl

NOREPINEPHRINE, PROPOFOL, VANCOMYCIN, CEFEPIME, INVASIVE_VENTILATION = 221906, 222168, 225798, 225851, 225792
WEIGHT_ITEMID, HEIGHT_ITEMID = 226512, 226730
_VITALS = "Routine Vital Signs"

# itemid, label, abbreviation, linksto, category, unitname, param_type
_ITEMS = (
    (220045, "Heart Rate", "HR", "chartevents", _VITALS, "bpm", "Numeric"),
    (220050, "Arterial Blood Pressure systolic", "ABPs", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220051, "Arterial Blood Pressure diastolic", "ABPd", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220052, "Arterial Blood Pressure mean", "ABPm", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220179, "Non Invasive Blood Pressure systolic", "NBPs", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220180, "Non Invasive Blood Pressure diastolic", "NBPd", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220181, "Non Invasive Blood Pressure mean", "NBPm", "chartevents", _VITALS, "mmHg", "Numeric"),
    (220210, "Respiratory Rate", "RR", "chartevents", "Respiratory", "insp/min", "Numeric"),
    (220277, "O2 saturation pulseoxymetry", "SpO2", "chartevents", "Respiratory", "%", "Numeric"),
    (220739, "GCS - Eye Opening", "Eye Opening", "chartevents", "Neurological", None, "Text"),
    (223761, "Temperature Fahrenheit", "Temperature F", "chartevents", _VITALS, "°F", "Numeric"),
    (223762, "Temperature Celsius", "Temperature C", "chartevents", _VITALS, "°C", "Numeric"),
    (223835, "Inspired O2 Fraction", "FiO2", "chartevents", "Respiratory", "None", "Numeric"),
    (223900, "GCS - Verbal Response", "Verbal Response", "chartevents", "Neurological", None, "Text"),
    (223901, "GCS - Motor Response", "Motor Response", "chartevents", "Neurological", None, "Text"),
    (225664, "Glucose finger stick (range 70-100)", "Glucose FS (range 70 -100)", "chartevents", "Labs", "None",
     "Numeric"),
    (WEIGHT_ITEMID, "Admission Weight (Kg)", "Admission Weight (Kg)", "chartevents", "General", "kg", "Numeric"),
    (HEIGHT_ITEMID, "Height (cm)", "Height (cm)", "chartevents", "General", "cm", "Numeric"),
    (NOREPINEPHRINE, "Norepinephrine", "Norepinephrine", "inputevents", "Medications", "mg", "Solution"),
    (PROPOFOL, "Propofol", "Propofol", "inputevents", "Medications", "mg", "Solution"),
    (VANCOMYCIN, "Vancomycin", "Vancomycin", "inputevents", "Antibiotics", "dose", "Solution"),
    (CEFEPIME, "Cefepime", "Cefepime", "inputevents", "Antibiotics", "dose", "Solution"),
    (INVASIVE_VENTILATION, "Invasive Ventilation", "Invasive Ventilation", "procedureevents", "2-Ventilation", "None",
     "Processes"),
)  # fmt: skip

_CHEMISTRY, _GAS, _HEMATOLOGY = "Chemistry", "Blood Gas", "Hematology"
_LAB_ITEMS = (
    (50802, "Base Excess", _GAS),
    (50813, "Lactate", _GAS),
    (50818, "pCO2", _GAS),
    (50820, "pH", _GAS),
    (50821, "pO2", _GAS),
    (50861, "Alanine Aminotransferase (ALT)", _CHEMISTRY),
    (50862, "Albumin", _CHEMISTRY),
    (50868, "Anion Gap", _CHEMISTRY),
    (50878, "Asparate Aminotransferase (AST)", _CHEMISTRY),
    (50882, "Bicarbonate", _CHEMISTRY),
    (50885, "Bilirubin, Total", _CHEMISTRY),
    (50889, "C-Reactive Protein", _CHEMISTRY),
    (50893, "Calcium, Total", _CHEMISTRY),
    (50902, "Chloride", _CHEMISTRY),
    (50911, "Creatine Kinase, MB Isoenzyme", _CHEMISTRY),
    (50912, "Creatinine", _CHEMISTRY),
    (50931, "Glucose", _CHEMISTRY),
    (50960, "Magnesium", _CHEMISTRY),
    (50963, "NTproBNP", _CHEMISTRY),
    (50970, "Phosphate", _CHEMISTRY),
    (50971, "Potassium", _CHEMISTRY),
    (50983, "Sodium", _CHEMISTRY),
    (51003, "Troponin T", _CHEMISTRY),
    (51006, "Urea Nitrogen", _CHEMISTRY),
    (51221, "Hematocrit", _HEMATOLOGY),
    (51222, "Hemoglobin", _HEMATOLOGY),
    (51237, "INR(PT)", _HEMATOLOGY),
    (51265, "Platelet Count", _HEMATOLOGY),
    (51275, "PTT", _HEMATOLOGY),
    (51301, "White Blood Cells", _HEMATOLOGY),
)


def chart_items() -> pl.DataFrame:
    """d_items, without the columns that are always empty here."""
    columns = ("itemid", "label", "abbreviation", "linksto", "category", "unitname", "param_type")
    return pl.DataFrame(_ITEMS, schema=list(columns), orient="row")


def lab_items() -> pl.DataFrame:
    """d_labitems; all are blood."""
    frame = pl.DataFrame(_LAB_ITEMS, schema=["itemid", "label", "category"], orient="row")
    return frame.with_columns(pl.lit("Blood").alias("fluid"))
