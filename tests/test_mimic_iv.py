"""MIMIC-IV folders: rows of a hand-made folder counted by hand, broken files, the real demo."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from mimic_support import (
    DEMO,
    Tables,
    at,
    lab,
    needs_demo,
    small_mimic,
    write_tables,
)

from cohort_db.errors import InputMistake
from cohort_db.mimic_intervals import stage_intervals
from cohort_db.mimic_iv import admissions, diagnoses, open_mimic, stays, subjects
from cohort_db.mimic_measurements import lab_windows, stage_measurements
from cohort_db.mimic_staging import SourceCount, StagedRows
from cohort_db.variables import catalogue

IDS = {variable.name: variable.variable_id for variable in catalogue()}
Stage = Callable[..., StagedRows]


def staged(folder: Path, source: str, tmp_path: Path) -> tuple[pl.DataFrame, SourceCount]:
    """All staged rows of one source, and what became of the others."""
    mimic = open_mimic(folder)
    of_icu = stays(mimic, subjects(mimic), admissions(mimic))
    scratch = tmp_path / f"scratch-{source}"
    scratch.mkdir()
    stage: Stage = stage_measurements if source in ("chartevents", "labevents") else stage_intervals
    rows = stage(mimic, source, of_icu, scratch, read=lambda done: None)
    return pl.concat(list(rows.slices())), rows.count


def of(rows: pl.DataFrame, name: str, stay_id: int = 1001) -> list[tuple[float, float]]:
    """(hours, value) of one variable of one stay, in order of time."""
    mine = rows.filter((pl.col("variable_id") == IDS[name]) & (pl.col("stay_id") == stay_id)).sort("offset_s")
    return [(offset / 3600, value) for offset, value in mine.select("offset_s", "value").iter_rows()]


def test_chart_rows_become_measurements_or_are_counted_under_one_reason(tmp_path: Path) -> None:
    rows, count = staged(write_tables(tmp_path / "ehr", small_mimic()), "chartevents", tmp_path)
    assert (count.read, count.kept) == (17, 9)
    assert count.dropped == {
        "item not used": 1,
        "no number": 1,
        "wrong unit": 1,
        "implausible": 1,
        "unreadable time": 1,
        "outside every stay's window": 2,
        "repeated": 1,
    }
    assert of(rows, "heart_rate") == [(1, 90), (2, 85), (96, 70)]
    assert of(rows, "temperature") == [(1, 37.0), (2, 37.5)]
    assert of(rows, "fio2") == [(1, 50), (2, 40)]
    assert of(rows, "weight") == [(0, 99.7903)]
    assert of(rows, "height") == [(0, 177.8)]


def test_a_value_stored_late_keeps_both_its_times(tmp_path: Path) -> None:
    rows, _ = staged(write_tables(tmp_path / "ehr", small_mimic()), "chartevents", tmp_path)
    late = rows.filter(pl.col("offset_s") == 2 * 3600, pl.col("variable_id") == IDS["heart_rate"])
    assert late["stored_offset_s"].to_list() == [30 * 3600]


def test_lab_rows_find_their_stay_by_time_and_admission(tmp_path: Path) -> None:
    rows, count = staged(write_tables(tmp_path / "ehr", small_mimic()), "labevents", tmp_path)
    assert (count.read, count.kept) == (12, 8)
    assert count.dropped == {"item not used": 1, "no number": 1, "wrong unit": 1, "outside every stay's window": 1}
    assert count.noted == {"below the limit of detection, kept as the limit": 1}
    assert of(rows, "creatinine") == [(-10, 1.3), (3, 1.1)]
    assert of(rows, "hemoglobin") == [(3, 14.0)]
    assert of(rows, "sodium") == [(3, 141)]
    assert of(rows, "troponin_t") == [(3, 0.01)]
    # Within both windows: the stay that contains it; between the stays: the next one.
    assert of(rows, "creatinine", 2001) == [(38, 0.8)]
    assert of(rows, "creatinine", 2002) == [(-8, 0.9), (1, 1.0)]


def test_rows_are_the_same_however_the_file_is_cut_into_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = small_mimic()
    # The correction now comes before the row that it corrects, and far from it.
    tables["icu/chartevents"].append(tables["icu/chartevents"].pop(0))
    folder = write_tables(tmp_path / "ehr", tables)
    whole, _ = staged(folder, "chartevents", folder)
    monkeypatch.setattr("cohort_db.mimic_iv.BATCH_ROWS", 2)
    monkeypatch.setattr("cohort_db.mimic_staging.STAYS_PER_SLICE", 2)
    pieces, count = staged(folder, "chartevents", tmp_path)
    key = ["stay_id", "variable_id", "offset_s", "itemid"]
    assert pieces.sort(key).equals(whole.sort(key))
    assert count.dropped["repeated"] == 1
    assert of(pieces, "heart_rate")[0] == (1, 90)


def test_lab_windows_never_overlap_within_a_place(tmp_path: Path) -> None:
    mimic = open_mimic(write_tables(tmp_path, small_mimic()))
    windows = lab_windows(stays(mimic, subjects(mimic), admissions(mimic))).sort("place", "start")
    following = windows.with_columns(pl.col("start").shift(-1).over("place").alias("next")).drop_nulls("next")
    assert len(following) == 2  # patient 2 by admission and by subject_id
    assert (following["end"] < following["next"]).all()


def test_a_result_at_the_change_of_two_touching_stays_belongs_to_the_later(tmp_path: Path) -> None:
    tables = small_mimic()
    second = next(row for row in tables["icu/icustays"] if row["stay_id"] == 2002)
    second["intime"] = at(2001, 48)
    tables["hosp/labevents"] = [
        lab(2, 201, 50912, at(2001, 48), 1.0, "mg/dL"),
        lab(2, 201, 50912, at(2001, 47.9), 2.0, "mg/dL"),
    ]
    rows, count = staged(write_tables(tmp_path / "ehr", tables), "labevents", tmp_path)
    assert count.kept == 2
    assert dict(rows.select("value", "stay_id").iter_rows()) == {1.0: 2002, 2.0: 2001}


def test_intervals_overlap_their_stay_and_have_names(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "ehr", small_mimic())
    drugs, count = staged(folder, "inputevents", tmp_path)
    assert (count.read, count.kept, count.dropped) == (3, 2, {"outside every stay's window": 1})
    assert drugs.select("source_id", "label", "start_s", "end_s").rows() == [
        ("7-220949", "item 220949", 3600, 10_800),
        ("7-221906", "Norepinephrine", 3600, 10_800),
    ]
    procedures, _ = staged(folder, "procedureevents", tmp_path)
    assert procedures.select("kind", "label", "end_s", "rate").rows() == [("procedure", "Ventilation", 144_000, None)]
    transfers, count = staged(folder, "transfers", tmp_path)
    assert (count.read, count.kept, count.dropped) == (4, 5, {"no care unit (discharge)": 1})
    assert count.noted == {"kept once more for another stay of the admission": 2}
    of_first = transfers.filter(pl.col("stay_id") == 2001)
    assert of_first.select("label", "start_s").rows() == [
        ("Emergency Department", -9 * 3600),
        ("MICU", 0),
        ("Medicine", 48 * 3600),
    ]


def test_stays_have_age_length_and_death_in_the_icu(tmp_path: Path) -> None:
    mimic = open_mimic(write_tables(tmp_path, small_mimic()))
    frame = stays(mimic, subjects(mimic), admissions(mimic))
    facts = {row["stay_id"]: row for row in frame.to_dicts()}
    assert facts[1001]["age_years"] == 60 and facts[1001]["los_hours"] == 96 and not facts[1001]["died_in_icu"]
    assert facts[4001]["died_in_icu"] and facts[4001]["death_offset_s"] == 50 * 3600
    assert facts[5001]["los_hours"] is None and facts[5001]["outtime"] is None
    assert diagnoses(mimic, admissions(mimic).filter(pl.col("hadm_id") != 701))["disease_group"].to_list() == [
        "heart failure",
        None,
    ]


@pytest.mark.parametrize("hours_after_outtime", [5.9, 6.1])
def test_a_death_up_to_six_hours_after_the_bed_was_left_is_a_death_in_the_icu(
    tmp_path: Path, hours_after_outtime: float
) -> None:
    tables = small_mimic()
    row = next(row for row in tables["hosp/admissions"] if row["hadm_id"] == 401)
    row["deathtime"] = at(4001, 50.5 + hours_after_outtime)
    mimic = open_mimic(write_tables(tmp_path, tables))
    frame = stays(mimic, subjects(mimic), admissions(mimic))
    assert frame.filter(pl.col("stay_id") == 4001)["died_in_icu"].item() == (hours_after_outtime < 6)


@pytest.mark.parametrize("gz", [True, False])
def test_columns_may_come_in_any_case_and_order_and_files_plain_or_packed(tmp_path: Path, gz: bool) -> None:
    usual, _ = staged(write_tables(tmp_path / "a", small_mimic()), "chartevents", tmp_path / "a")
    other, _ = staged(write_tables(tmp_path / "b", small_mimic(), gz=gz, upper=True), "chartevents", tmp_path / "b")
    assert usual.equals(other)


def test_the_columns_of_mimic_3_1_are_read_and_absent_optional_ones_are_null(tmp_path: Path) -> None:
    tables = small_mimic()
    for name, new in (("hosp/admissions", "admit_provider_id"), ("hosp/patients", "anchor_year_group")):
        tables[name] = [row | {new: "P1"} for row in tables[name]]
    for row in tables["icu/chartevents"]:
        del row["storetime"]
    for name in ("labevent_id", "storetime", "comments"):
        for row in tables["hosp/labevents"]:
            del row[name]
    folder = write_tables(tmp_path / "ehr", tables)
    chart, _ = staged(folder, "chartevents", tmp_path)
    labs, count = staged(folder, "labevents", tmp_path)
    assert chart["stored_offset_s"].null_count() == len(chart) == 9
    assert labs["stored_offset_s"].null_count() == len(labs) == 7
    assert count.dropped["no number"] == 2  # without comments nobody knows that troponin was below the limit


def _without(table: str, column: str) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        for row in tables[table]:
            del row[column]

    return change


def _with(table: str, column: str) -> Callable[[Tables], None]:
    def change(tables: Tables) -> None:
        for row in tables[table]:
            row[column] = ""

    return change


def _set(table: str, column: str, value: Any) -> Callable[[Tables], None]:
    return lambda tables: tables[table][0].update({column: value})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tables: tables.pop("hosp/labevents"), r"has no hosp/labevents\.csv\.gz \(nor \.csv\)"),
        (lambda tables: tables.pop("icu/d_items"), r"has no icu/d_items\.csv\.gz"),
        (_without("hosp/labevents", "valueuom"), r"hosp/labevents\.csv\.gz has no column valueuom"),
        (_without("icu/icustays", "intime"), r"icu/icustays\.csv\.gz has no column intime"),
        (_set("hosp/patients", "gender", "X"), r"gender 'X': it must be F or M"),
        (_set("hosp/patients", "anchor_age", ""), r"without a readable anchor_age"),
        (_set("icu/icustays", "intime", "yesterday"), r"without a readable intime"),
        (_set("icu/icustays", "subject_id", 99), r"has subject_id 99, which hosp/patients does not"),
        (_set("icu/icustays", "hadm_id", 99), r"has hadm_id 99, which hosp/admissions does not"),
        (_set("icu/icustays", "stay_id", 2001), r"has stay_id 2001 twice"),
        (_with("icu/icustays", "INTIME"), r"has the column intime twice"),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_its_file(
    tmp_path: Path, change: Callable[[Tables], None], sentence: str
) -> None:
    tables = small_mimic()
    change(tables)
    with pytest.raises(InputMistake, match=sentence):
        mimic = open_mimic(write_tables(tmp_path, tables))
        stays(mimic, subjects(mimic), admissions(mimic))


def test_folders_that_are_none_and_files_that_are_empty_or_torn_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputMistake, match="is no folder"):
        open_mimic(tmp_path / "nowhere")
    with pytest.raises(InputMistake, match="holds hosp/ and icu/"):
        open_mimic(tmp_path)
    folder = write_tables(tmp_path / "ehr", small_mimic())
    chart = folder / "icu/chartevents.csv.gz"
    whole = chart.read_bytes()
    chart.write_bytes(gzip.compress(b""))
    with pytest.raises(InputMistake, match=r"chartevents\.csv\.gz is empty"):
        open_mimic(folder)
    chart.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputMistake, match=r"chartevents\.csv\.gz cannot be read"):
        staged(folder, "chartevents", tmp_path)
    chart.write_bytes(b"no gzip at all")
    with pytest.raises(InputMistake, match=r"chartevents\.csv\.gz cannot be read"):
        open_mimic(folder)


def test_a_folder_without_a_stay_is_refused(tmp_path: Path) -> None:
    folder = write_tables(tmp_path, small_mimic(), gz=False)
    file = folder / "icu/icustays.csv"
    file.write_text(file.read_text().splitlines()[0] + "\n")
    mimic = open_mimic(folder)
    with pytest.raises(InputMistake, match="holds no ICU stay"):
        stays(mimic, subjects(mimic), admissions(mimic))


@needs_demo
def test_lengths_of_stay_agree_with_those_in_the_real_demo() -> None:
    mimic = open_mimic(DEMO)
    ours = stays(mimic, subjects(mimic), admissions(mimic)).select("stay_id", "los_hours")
    theirs = pl.read_csv(DEMO / "icu/icustays.csv.gz").select("stay_id", "los")
    both = ours.join(theirs, on="stay_id")
    assert len(both) == 140
    assert (both["los_hours"] / 24 - both["los"]).abs().max() < 1e-6
