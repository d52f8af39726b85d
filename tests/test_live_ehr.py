"""The health record as a CSV: what is written reads back, facts at admission too, and wrong files are named by line."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from cohort_db.errors import InputMistake
from cohort_db.variables import catalogue
from dashboard.live_ehr import ehr_csv, read_ehr_csv
from dashboard.live_statics import statics_in_words

STATICS = [asdict(variable) for variable in catalogue() if variable.kind == "static"]


def test_values_and_facts_at_admission_survive_their_csv_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    n = 50
    values = pd.DataFrame(
        {
            "variable": rng.choice(["sbp", "lactate"], n),
            "offset_s": np.sort(rng.integers(-3600, 86_400, n)).astype(float),
            "value": rng.normal(100, 30, n),
            "stored_offset_s": np.where(rng.random(n) < 0.3, np.nan, rng.integers(0, 90_000, n).astype(float)),
        }
    )
    static = {"age": 67.123456789012345, "sex": 1.0, "hours_to_icu": 106 / 60, "unit_cardiac": 0.0}
    found = read_ehr_csv(ehr_csv(values, static).encode(), STATICS)
    pd.testing.assert_frame_equal(found.values, values.astype({"variable": object}), check_exact=True)
    assert found.static == static
    assert read_ehr_csv(ehr_csv(values).encode(), STATICS).static == {}


def test_a_spreadsheets_own_csv_is_read_too() -> None:
    content = "\ufeffvariable;hours;value\r\nsbp;1,5;120,25\r\n lactate ;-0,5;2\r\n".encode()
    values = read_ehr_csv(content).values
    assert values["variable"].tolist() == ["sbp", "lactate"]
    assert values["offset_s"].tolist() == [5400.0, -1800.0] and values["value"].tolist() == [120.25, 2.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "no column variable"),
        ("variable,hours,value\nsbp,1,high\n", "line 2 of the EHR file holds no number for value"),
        ("variable,hours,value\nsbp,1,2\nsbp,,2\n", "line 3 of the EHR file holds no number for hours"),
        ("variable,hours,value,stored_hours\nsbp,1,120,late\n", "line 2 .* for stored_hours"),
        ("variable,hours,value\nage,,67\nage,,68\n", "gives age twice"),
        ("variable,hours,value\nage,,670\n", "gives age as 670: it must be 18 to 120 years"),
        ("variable,hours,value\nsex,,2\n", "gives sex as 2: it is 0 or 1"),
        ("variable,hours,value\nage,,\n", "line 2 .* no number for value"),
    ],
)
def test_a_wrong_ehr_file_is_named(text: str, message: str) -> None:
    with pytest.raises(InputMistake, match=message):
        read_ehr_csv(text.encode(), STATICS)


def test_what_was_given_is_said_in_words_without_the_digits_of_a_division() -> None:
    words = statics_in_words(STATICS, {"age": 67.0, "sex": 1.0, "hours_to_icu": 106 / 60, "unit_cardiac": 1.0})
    assert words["age"] == "Age 67 years" and words["sex"] == "Female" and words["unit"] == "Care unit cardiac"
    assert words["hours_to_icu"] == "Hours in hospital before the ICU 1.8"
    assert words["height"].endswith("not given")
