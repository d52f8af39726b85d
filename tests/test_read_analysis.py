"""The frame of error analysis beside plain SQL, and the groups of race beside their wordings."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest
from pages_support import RUN, PagesStores, pages_stores
from sqlalchemy import literal, select

from cohort_db import read_analysis, read_results
from cohort_db.race_groups import RACE_GROUPS, race_group, race_group_sql
from cohort_db.store import Store, open_store

__all__ = ["pages_stores"]
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
        "from prediction p "
        "join sample s using (sample_id) join stay st using (stay_id) join subject su on su.subject_id = st.subject_id "
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


def test_the_inner_predictions_are_those_of_the_run(full: Store) -> None:
    found = read_analysis.analysed(full, RUN, "test").set_index("sample_id")
    wanted = read_results.ports(full, RUN).loc[found.index]
    np.testing.assert_array_equal(found[list(read_analysis.PORTS)].to_numpy(float), wanted.to_numpy(float))
    no_ecg = (found["path"] == "ehr").to_numpy()
    assert no_ecg.any() and found.loc[no_ecg, ["ecg_1", "cross"]].isna().all(axis=None)


@pytest.mark.parametrize(("run", "split"), [("no-such-run", "test"), (RUN, "no-such-split")])
def test_an_unknown_run_or_split_gives_an_empty_frame_of_the_same_columns(full: Store, run: str, split: str) -> None:
    found = read_analysis.analysed(full, run, split)
    assert found.empty
    assert list(found.columns) == list(read_analysis.analysed(full, RUN, "test").columns)


def test_the_splits_are_those_with_predictions(full: Store) -> None:
    assert read_results.scored_splits(full, RUN) == sorted(set(read_results.predictions(full, RUN)["split"]))
    assert read_results.scored_splits(full, "no-such-run") == []
