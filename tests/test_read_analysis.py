"""The frame of error analysis beside plain SQL and on every database, and the groups of race beside their wordings."""

from __future__ import annotations

import sqlite3
from datetime import datetime

import numpy as np
import pandas as pd
import pytest
from pages_support import RUN, PagesStores, pages_stores
from sqlalchemy import insert, literal, select, update
from store_support import MakeStore, add_cohort, add_scored_run, make_store

from cohort_db import read_analysis, read_results
from cohort_db.frames import frame_of
from cohort_db.race_groups import RACE_GROUPS, race_group, race_group_sql
from cohort_db.schema import admission, branch_value, diagnosis, ecg_record
from cohort_db.store import Store, open_store

__all__ = ["make_store", "pages_stores"]
WORDINGS = {
    "WHITE": "white",
    "WHITE - RUSSIAN": "white",
    "BLACK/AFRICAN AMERICAN": "black",
    "BLACK/CAPE VERDEAN": "black",
    "ASIAN - CHINESE": "asian",
    "HISPANIC/LATINO - PUERTO RICAN": "hispanic",
    "SOUTH AMERICAN": "hispanic",
    "PORTUGUESE": "other",
    "MULTIPLE RACE/ETHNICITY": "other",
    "UNABLE TO OBTAIN": "unknown",
    "PATIENT DECLINED TO ANSWER": "unknown",
    "UNKNOWN": "unknown",
    " white ": "white",
    "": "unknown",
    None: "unknown",
}


@pytest.fixture(scope="module")
def full(pages_stores: PagesStores) -> Store:
    return open_store(f"sqlite:///{pages_stores.home['full']}/cohort.db")


@pytest.mark.parametrize("wording", WORDINGS)
def test_a_wording_of_race_has_the_same_group_in_python_and_in_sql(full: Store, wording: str | None) -> None:
    assert race_group(wording) == WORDINGS[wording]
    with full.reading() as conn:
        assert conn.execute(select(race_group_sql(literal(wording)))).scalar() == WORDINGS[wording]
    assert set(WORDINGS.values()) == set(RACE_GROUPS)


def test_each_row_says_what_the_tables_say(full: Store, pages_stores: PagesStores) -> None:
    found = read_analysis.analysed(full, RUN, "test")
    database = sqlite3.connect(pages_stores.home["full"] / "cohort.db")
    rows = database.execute(
        "select p.sample_id, p.p, s.label, st.age_years, su.sex, st.first_careunit, s.study_id is null "
        "from prediction p join sample s using (sample_id) join stay st using (stay_id) "
        "join subject su on su.subject_id = st.subject_id "
        "where p.run_id = ? and p.split = 'test' and s.label is not null order by 1",
        (RUN,),
    ).fetchall()
    assert len(rows) > 5
    told = zip(
        *(found[name] for name in ("sample_id", "p", "label", "age_years", "sex", "unit")),
        found["ecg"] == "none",
        strict=True,
    )
    assert [tuple(row) for row in told] == rows
    for sample_id, diseases in zip(found["sample_id"], found["diseases"], strict=True):
        coded = database.execute(
            "select distinct disease_group from sample join stay using (stay_id) join diagnosis on "
            "diagnosis.hadm_id = stay.hadm_id where sample_id = ? and disease_group is not null order by 1",
            (sample_id,),
        )
        assert diseases == ", ".join(group for (group,) in coded)


@pytest.mark.parametrize("split", [None, "cal", "test"])
def test_the_inner_predictions_are_the_branch_values_turned(full: Store, split: str | None) -> None:
    found = read_results.ports(full, RUN, split)
    predicted = read_results.predictions(full, RUN, split)
    with full.reading() as conn:
        long = frame_of(conn, select(branch_value).where(branch_value.c.run_id == RUN))
    long = long[long["sample_id"].isin(predicted["sample_id"])]
    wanted = long.pivot(index="sample_id", columns="port", values="logit").reindex(columns=list(read_analysis.PORTS))
    assert len(wanted) > 5
    pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def test_the_frame_holds_the_inner_predictions_of_the_run(full: Store) -> None:
    found = read_analysis.analysed(full, RUN, "test").set_index("sample_id")
    wanted = read_results.ports(full, RUN).loc[found.index]
    np.testing.assert_array_equal(found[list(read_analysis.PORTS)].to_numpy(float), wanted.to_numpy(float))
    no_ecg = (found["path"] == "ehr").to_numpy()
    assert no_ecg.any() and found.loc[no_ecg, ["ecg_1", "cross"]].isna().all(axis=None)


def test_every_database_gives_the_same_frame(make_store: MakeStore) -> None:
    store = make_store()
    add_cohort(store, 4)
    add_scored_run(store, "run-a", datetime(2026, 11, 20))
    with store.writing() as conn:
        code = {"hadm_id": 103, "seq_num": 9, "icd_version": 10, "icd_code": "E11", "disease_group": "diabetes"}
        conn.execute(insert(diagnosis).values(code))
        conn.execute(update(ecg_record).where(ecg_record.c.study_id == 1001).values(quality={"I": [], "II": []}))
        conn.execute(update(admission).where(admission.c.hadm_id == 101).values(race="WHITE - RUSSIAN", language=""))
    found = read_analysis.analysed(store, "run-a", "train")
    assert found["sample_id"].tolist() == ["los-1", "los-3"]
    assert found["diseases"].tolist() == ["heart failure", "diabetes, heart failure"]
    assert found["qrs_ms"].tolist() == [91.5, 93.5] and found["qt_ms"].isna().all()
    assert (found["race"][0], found["language"][0]) == ("white", "unknown")
    assert found["cross"].tolist() == [0.0, 0.0] and found["ecg_3"].isna().all()
    assert found["ecg"].tolist() == ["clean", "unusable"]
    assert read_analysis.analysed(store, "run-a", "test")["ecg"].tolist() == ["none"]
    with store.writing() as conn:
        conn.execute(update(ecg_record).values(usable=True))
        conn.execute(update(diagnosis).values(disease_group=None))
    again = read_analysis.analysed(store, "run-a", "train")
    assert again["ecg"].tolist() == ["clean", "flagged"] and again["diseases"].tolist() == ["", ""]
    with store.writing() as conn:
        conn.execute(update(ecg_record).where(ecg_record.c.study_id == 1001).values(usable=None))
        conn.execute(update(ecg_record).where(ecg_record.c.study_id == 1003).values(quality=None))
    assert read_analysis.analysed(store, "run-a", "train")["ecg"].tolist() == ["unusable", "clean"]


@pytest.mark.parametrize(("run", "split"), [("no-such-run", "test"), (RUN, "no-such-split")])
def test_an_unknown_run_or_split_gives_an_empty_frame_of_the_same_columns(full: Store, run: str, split: str) -> None:
    found = read_analysis.analysed(full, run, split)
    assert found.empty
    assert list(found.columns) == list(read_analysis.analysed(full, RUN, "test").columns)


def test_the_splits_are_those_with_predictions(full: Store) -> None:
    assert read_results.scored_splits(full, RUN) == sorted(set(read_results.predictions(full, RUN)["split"]))
    assert read_results.scored_splits(full, "no-such-run") == []
