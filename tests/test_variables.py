"""The catalogue against itself and against the dictionaries, units and reference ranges of the real demo."""

from __future__ import annotations

import re

import polars as pl
import pytest
from mimic_support import DEMO, needs_demo

from cohort_db.mimic_iv import number, open_mimic, whole
from cohort_db.schema import variable as variable_table
from cohort_db.variables import Variable, canonical_unit, catalogue, item_rules, variable_rows

MIMIC_RANGE = "MIMIC-IV labevents ref_range (most frequent)"
PANELS = {
    "Vitals", "Respiratory", "Neuro", "Renal", "Electrolytes", "Acid-base", "Haematology", "Infection/Inflammation",
    "Liver", "Cardiac", "Static",
}  # fmt: skip
# What the dictionaries must call a variable's items: written down here from clinical knowledge, not from the catalogue.
LABELS = {
    "heart_rate": r"^heart rate$",
    "sbp": r"(arterial|art|non invasive).*systolic$",
    "dbp": r"(arterial|art|non invasive).*diastolic$",
    "map": r"(arterial|art|non invasive).*mean$",
    "respiratory_rate": r"^respiratory rate( \(total\))?$",
    "spo2": r"^o2 saturation pulseoxymetry$",
    "temperature": r"^temperature (celsius|fahrenheit)$",
    "weight": r"^(admission|daily) weight",
    "fio2": r"^(inspired o2 fraction|oxygen)$",
    "peep": r"^peep set$",
    "o2_flow": r"^o2 flow$",
    "gcs_eye": r"^gcs - eye opening$",
    "gcs_verbal": r"^gcs - verbal response$",
    "gcs_motor": r"^gcs - motor response$",
    "rass": r"^richmond-ras scale$",
    "creatinine": r"^creatinine(, whole blood)?$",
    "urea_nitrogen": r"^urea nitrogen$",
    "sodium": r"^sodium(, whole blood)?$",
    "potassium": r"^potassium(, whole blood)?$",
    "chloride": r"^chloride(, whole blood)?$",
    "calcium": r"^calcium, total$",
    "free_calcium": r"^free calcium$",
    "magnesium": r"^magnesium$",
    "phosphate": r"^phosphate$",
    "glucose": r"^glucose(, whole blood| finger stick.*)?$",
    "ph": r"^ph$",
    "pco2": r"^pco2$",
    "po2": r"^po2$",
    "bicarbonate": r"^bicarbonate$",
    "base_excess": r"^base excess$",
    "anion_gap": r"^anion gap$",
    "lactate": r"^lactate$",
    "hemoglobin": r"^hemoglobin$",
    "hematocrit": r"^hematocrit(, calculated)?$",
    "platelets": r"^platelet count$",
    "rdw": r"^rdw$",
    "inr": r"^inr\(pt\)$",
    "ptt": r"^ptt$",
    "wbc": r"^white blood cells$",
    "crp": r"^c-reactive protein$",
    "bilirubin": r"^bilirubin, total$",
    "alt": r"^alanine aminotransferase \(alt\)$",
    "ast": r"^asparate aminotransferase \(ast\)$",
    "albumin": r"^albumin$",
    "troponin_t": r"^troponin t$",
    "ck_mb": r"^creatine kinase, mb isoenzyme$",
    "nt_probnp": r"^ntprobnp$",
    "height": r"^height( \(cm\))?$",
}
CHARTED = [variable for variable in catalogue() if variable.chart_items or variable.lab_items]
# Units nobody charts: a count of points, a ratio.
NEVER_CHARTED = {"points", "ratio"}


def test_variables_are_numbered_in_file_order_and_fit_their_table() -> None:
    rows = variable_rows()
    assert [row["variable_id"] for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["name"] for row in rows}) == len(rows)
    assert set(rows[0]) == {column.name for column in variable_table.c}
    assert {row["panel"] for row in rows} == PANELS
    assert 40 <= sum(row["kind"] == "series" for row in rows) <= 50


def test_no_item_means_two_variables_and_none_is_urine_or_a_ventilator_setting() -> None:
    for source in ("chart_items", "lab_items"):
        items = [itemid for variable in catalogue() for itemid in getattr(variable, source)]
        assert len(items) == len(set(items))
        # Urine glucose and pH, pH of other fluids; the set and the spontaneous respiratory rate.
        assert not {51478, 51491, 51094, 50831, 224688, 224689} & set(items)


@pytest.mark.parametrize("variable", catalogue(), ids=lambda variable: variable.name)
def test_reference_ranges_lie_in_the_plausible_range_and_say_where_they_are_from(variable: Variable) -> None:
    assert variable.low is not None and variable.high is not None and variable.low < variable.high
    assert (variable.ref_source is not None) == (variable.ref_low is not None)
    for sex in "MF":
        low, high = variable.reference(sex)
        assert (low is None) == (high is None)
        if low is not None and high is not None:
            assert variable.low <= low <= high <= variable.high


@pytest.mark.parametrize("variable", catalogue(), ids=lambda variable: variable.name)
def test_critical_limits_say_where_they_are_from_and_lie_outside_the_reference_range(variable: Variable) -> None:
    assert (variable.crit_source is not None) == (variable.crit_low is not None or variable.crit_high is not None)
    assert variable.low is not None and variable.high is not None
    for sex in "MF":
        low, high = variable.reference(sex)
        if variable.crit_low is not None:
            assert low is not None and variable.low < variable.crit_low < low
        if variable.crit_high is not None:
            assert high is not None and high < variable.crit_high < variable.high


# Read from the publications, not from the catalogue: NEWS2's score 3, and the abstract of JAMA 1990;263:704-7. That
# gives glucose and calcium in mmol/L (18.016 and 4.008 mg/dL); the catalogue has the survey's own rounded mg/dL.
PUBLISHED = {
    "respiratory_rate": (8, 25), "spo2": (91, None), "sbp": (90, 220), "heart_rate": (40, 131),
    "temperature": (35, None), "potassium": (2.8, 6.2), "sodium": (120, 158), "hematocrit": (18, 61),
    "hemoglobin": (6.6, 19.9), "platelets": (37, 910), "wbc": (2, 37), "pco2": (19, 67), "ph": (7.21, 7.59),
    "po2": (43, None),
}  # fmt: skip
MOLAR = {"glucose": (2.6 * 18.016, 26.9 * 18.016), "calcium": (1.65 * 4.008, 3.22 * 4.008)}


def test_critical_limits_are_those_published() -> None:
    found = {one.name: (one.crit_low, one.crit_high) for one in catalogue()}
    assert {name: found[name] for name in PUBLISHED} == PUBLISHED
    for name, limits in MOLAR.items():
        assert found[name] == pytest.approx(limits, rel=0.02)


def test_women_have_their_own_range_for_haemoglobin_and_creatinine() -> None:
    by_name = {variable.name: variable for variable in catalogue()}
    assert by_name["hemoglobin"].reference("F") == (11.2, 15.7)
    assert by_name["hemoglobin"].reference("M") == (13.7, 17.5)
    assert by_name["sodium"].reference("F") == by_name["sodium"].reference("M") == (133, 145)


@pytest.mark.parametrize(
    ("source", "itemid", "unit", "charted", "expected"),
    [
        ("chartevents", 223761, "°f", 98.6, 37.0),
        ("chartevents", 223761, "", 212.0, 100.0),
        ("chartevents", 223761, "°c", 37.5, 37.5),
        ("chartevents", 226531, "", 100.0, 45.359237),
        ("chartevents", 226531, "kg", 100.0, 100.0),
        ("chartevents", 226707, "in", 70.0, 177.8),
        ("labevents", 51222, "g/l", 140.0, 14.0),
        ("labevents", 50818, "kpa", 5.332895, 40.0),
        ("labevents", 50983, "mmol/l", 140.0, 140.0),
    ],
)
def test_known_units_are_converted(source: str, itemid: int, unit: str, charted: float, expected: float) -> None:
    rule = item_rules(source).row(by_predicate=(pl.col("itemid") == itemid) & (pl.col("unit") == unit), named=True)
    assert charted * rule["scale"] + rule["shift"] == pytest.approx(expected, abs=1e-4)


def test_units_that_need_the_molar_mass_are_refused() -> None:
    rules = item_rules("labevents")
    for itemid, unit in [(50912, "umol/l"), (50931, "mmol/l"), (50808, "meq/l"), (50893, "mmol/l")]:
        assert rules.filter((pl.col("itemid") == itemid) & (pl.col("unit") == unit)).is_empty()


def test_spellings_of_one_unit_are_one_unit() -> None:
    spelled = pl.DataFrame({"unit": ["mm Hg", "mmHg", "Inch", "F", None, " BPM ", "None"]})
    assert spelled.select(canonical_unit(pl.col("unit")))["unit"].to_list() == [
        "mmhg",
        "mmhg",
        "in",
        "°f",
        "",
        "bpm",
        "",
    ]


@needs_demo
@pytest.mark.parametrize("variable", CHARTED, ids=lambda variable: variable.name)
def test_the_dictionaries_call_each_item_what_the_catalogue_means(variable: Variable) -> None:
    chart = _dictionary("icu/d_items.csv.gz")
    lab = _dictionary("hosp/d_labitems.csv.gz")
    for dictionary, items in ((chart, variable.chart_items), (lab, variable.lab_items)):
        for itemid in items:
            row = dictionary[itemid]
            assert re.search(LABELS[variable.name], row["label"].strip().lower()), (itemid, row["label"])
            assert row.get("fluid", "Blood") == "Blood"
            assert row.get("linksto", "chartevents") == "chartevents"


@needs_demo
def test_units_are_those_charted_most_often_after_conversion() -> None:
    folder = open_mimic(DEMO)
    for source, table in (("chartevents", "icu/chartevents"), ("labevents", "hosp/labevents")):
        rows = folder.read(table).select(whole("itemid"), canonical_unit(pl.col("valueuom")).alias("unit"))
        counted = rows.filter(pl.col("unit") != "").group_by("itemid", "unit").len().sort("len", descending=True)
        most = dict(counted.unique("itemid", keep="first", maintain_order=True).select("itemid", "unit").iter_rows())
        rules = item_rules(source)
        n_checked = 0
        for variable in CHARTED:
            own = pl.select(canonical_unit(pl.lit(variable.unit))).item()
            for itemid in variable.chart_items if source == "chartevents" else variable.lab_items:
                if itemid not in most or variable.unit in NEVER_CHARTED:
                    assert itemid not in most or variable.unit not in NEVER_CHARTED
                    continue
                rule = rules.row(
                    by_predicate=(pl.col("itemid") == itemid) & (pl.col("unit") == most[itemid]), named=True
                )
                assert (most[itemid] == own) == (rule["scale"] == 1 and rule["shift"] == 0), (itemid, most[itemid])
                n_checked += 1
        assert n_checked >= 20


@needs_demo
def test_ranges_said_to_be_mimics_are_the_most_frequent_ones_of_each_sex() -> None:
    folder = open_mimic(DEMO)
    raw = pl.read_csv(DEMO / "hosp/labevents.csv.gz", infer_schema=False)
    sex = folder.read("hosp/patients").select("subject_id", "gender")
    ranges = raw.join(sex, on="subject_id").select(
        whole("itemid"), "gender", number("ref_range_lower"), number("ref_range_upper")
    )
    counted = ranges.drop_nulls().group_by(pl.all()).len().sort("len", descending=True)
    said = [variable for variable in CHARTED if variable.ref_source == MIMIC_RANGE]
    assert len(said) >= 25
    for variable in said:
        first_item = next(iter(variable.lab_items))
        for gender in "MF":
            most = counted.filter((pl.col("itemid") == first_item) & (pl.col("gender") == gender)).row(0, named=True)
            assert variable.reference(gender) == (most["ref_range_lower"], most["ref_range_upper"]), variable.name


def _dictionary(file: str) -> dict[int, dict[str, str]]:
    rows = pl.read_csv(DEMO / file, infer_schema=False).to_dicts()
    return {int(row["itemid"]): row for row in rows}
