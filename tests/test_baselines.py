"""Other baselines of the waterfall: who is in them, and that too few or another path is said instead of shown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from case_support import RUN, CaseStore
from sqlalchemy import text

from cohort_db import read, read_results
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from cohort_db.read_comparable import outcome_counts, ports_of_disease, usual_attribution
from cohort_db.store import Store, open_store


@pytest.fixture(scope="module")
def store(case_store: CaseStore) -> Iterator[Store]:
    found = open_store(case_store.url)
    yield found
    found.close()


def test_outcomes_are_counted_as_plain_sql_counts_them(store: Store) -> None:
    found = outcome_counts(store)
    samples = read.samples(store)
    known = samples[samples["label"].notna()]
    assert found["n"].sum() == len(known)
    assert found["events"].sum() == known["label"].sum()
    assert found["deaths"].sum() == known["died_before_cut"].sum()
    for row in found.itertuples():
        own = known[(known["first_careunit"] == row.first_careunit) & (known["age_years"] // 10 * 10 == row.decade)]
        assert (row.n, row.events) == (len(own), own["label"].sum())


def test_a_disease_is_held_against_other_patients_that_no_network_learnt_on(store: Store) -> None:
    groups = read.disease_groups(store)
    samples = read.samples(store).set_index("sample_id")
    with_ecg = set(samples.index[samples["ecg_usable"].fillna(False).astype(bool)])
    assert len(groups)
    for group, own in groups.groupby("disease_group"):
        subject = int(samples.loc[own["sample_id"].iloc[0], "subject_id"])
        found = ports_of_disease(store, RUN, str(group), path="both", exclude_subject=subject)
        expected = {
            name
            for name in own["sample_id"]
            if samples.loc[name, "split"] in ("cal", "test")
            and samples.loc[name, "subject_id"] != subject
            and name in with_ecg
        }
        assert set(found.index) <= expected
        with store.reading() as conn:
            for sample_id, row in found.iterrows():
                query = text("SELECT port, logit FROM branch_value WHERE run_id = :run AND sample_id = :sample")
                rows = conn.execute(query, {"run": RUN, "sample": sample_id})
                stored = {one.port: one.logit for one in rows}
                assert row.to_dict() == stored


def test_no_more_stays_than_asked_for(store: Store) -> None:
    group = read.disease_groups(store)["disease_group"].value_counts().index[0]
    every = ports_of_disease(store, RUN, group, path="both", exclude_subject=0)
    assert len(ports_of_disease(store, RUN, group, path="both", exclude_subject=0, most=1)) == min(1, len(every))


@pytest.mark.parametrize("path", ["both", "ehr"])
def test_the_usual_attribution_is_the_mean_over_the_path_so_that_what_is_left_of_all_is_nought(
    store: Store, path: str
) -> None:
    predicted = read_results.predictions(store, RUN)
    rows = predicted.loc[(predicted["path"] == path) & predicted["array_row"].notna(), "array_row"].to_numpy(np.int64)
    stored = ArrayStore(store, RUN).read("feature_attribution", np.sort(rows)).astype(float)
    mean, n = usual_attribution(store, RUN, path)
    assert n == len(rows) > 0
    assert (stored - mean).mean(0) == pytest.approx(np.zeros(len(mean)), abs=1e-7)
    some, n_some = usual_attribution(store, RUN, path, most=2)
    assert n_some == 2 and some == pytest.approx(stored[[0, -1]].mean(0))


def test_a_run_without_attributions_has_no_usual_one(store: Store) -> None:
    with pytest.raises(InputMistake):
        usual_attribution(store, "no-such-run", "both")
