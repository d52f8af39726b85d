"""Ten groups from ICD-9 and ICD-10 codes: hand-picked codes, and laws over all codes of the real demo's dictionary."""

from __future__ import annotations

import polars as pl
from mimic_support import DEMO, needs_demo

from cohort_db.disease_groups import disease_groups, group_expression

CODES = [
    (10, "E1165", "diabetes"),
    (9, "25000", "diabetes"),
    (9, "24900", "diabetes"),
    (10, "E161", None),
    (10, "C3490", "lung cancer"),
    (9, "1629", "lung cancer"),
    (9, "1620", None),  # trachea
    (10, "A419", "sepsis"),
    (10, "R6521", "sepsis"),
    (9, "0389", "sepsis"),
    (9, "99592", "sepsis"),
    (9, "99590", None),  # systemic inflammatory response without infection
    (9, "78552", "sepsis"),
    (9, "78551", None),  # cardiogenic shock
    (10, "I214", "acute myocardial infarction"),
    (9, "41071", "acute myocardial infarction"),
    (9, "412", None),  # old infarction
    (10, "I4891", "dysrhythmia"),
    (9, "42731", "dysrhythmia"),
    (9, "4275", None),  # cardiac arrest
    (10, "I469", None),
    (10, "E871", "electrolyte disorder"),
    (9, "2761", "electrolyte disorder"),
    (9, "27651", None),  # dehydration
    (10, "E860", None),
    (10, "N183", "chronic kidney disease"),
    (9, "5853", "chronic kidney disease"),
    (10, "I5023", "heart failure"),
    (9, "42823", "heart failure"),
    (10, "J189", "pneumonia"),
    (9, "486", "pneumonia"),
    (9, "4870", None),  # influenza with pneumonia
    (10, "N179", "kidney failure"),
    (10, "N19", "kidney failure"),
    (9, "5849", "kidney failure"),
    (9, "586", "kidney failure"),
    (9, "587", None),
]


def test_there_are_ten_groups() -> None:
    assert len(disease_groups()) == 10


def groups_of(codes: list[tuple[int, str]]) -> list[str | None]:
    frame = pl.DataFrame(codes, schema=["icd_version", "icd_code"], orient="row")
    return frame.select(group_expression().alias("said"))["said"].to_list()


def test_each_code_has_the_group_that_the_field_gives_it() -> None:
    said = groups_of([(version, code) for version, code, _ in CODES])
    assert dict(zip(CODES, said, strict=True)) == {row: row[2] for row in CODES}


def test_the_point_and_the_version_matter_as_they_should() -> None:
    assert groups_of([(10, "i50.9"), (10, " I509 ")]) == ["heart failure"] * 2
    assert groups_of([(9, "I509"), (10, "4280")]) == [None, None]


@needs_demo
def test_every_code_of_the_dictionary_has_at_most_one_group_and_titles_agree() -> None:
    codes = pl.read_csv(DEMO / "hosp/d_icd_diagnoses.csv.gz", infer_schema=False).with_columns(
        pl.col("icd_version").cast(pl.Int64), pl.col("icd_code").str.strip_chars()
    )
    grouped = codes.with_columns(group_expression().alias("group"))
    assert set(grouped["group"].drop_nulls()) == set(disease_groups())
    words = {
        "lung cancer": "lung|bronch",
        "heart failure": "heart failure|ventric|cardiomyo",
        "chronic kidney disease": "kidney|renal",
        "pneumonia": "pneumon|legionnaires|lung|anthrax|aspergillosis",
        "diabetes": "diabet",
        "acute myocardial infarction": "infarction",
    }
    for group, pattern in words.items():
        titles = grouped.filter(pl.col("group") == group)["long_title"].str.to_lowercase()
        assert titles.str.contains(pattern).all(), titles.filter(~titles.str.contains(pattern)).to_list()[:5]
    # Both versions see every group.
    assert grouped.drop_nulls("group").group_by("group").agg(pl.col("icd_version").n_unique())["icd_version"].min() == 2
