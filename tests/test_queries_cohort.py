"""What the cohort page holds in memory follows the store: counts made anew, predictions added; one reader counts."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import streamlit as st
from cohort_support import RUN, hold, made_up_stays
from store_support import MakeStore, make_store

from cohort_db import facets
from cohort_db.stay_filters import Filters
from cohort_db.store import Store
from dashboard import queries_cohort

__all__ = ["make_store"]
WOMEN = Filters(sex=("F",))


@pytest.fixture
def held(make_store: MakeStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    store = make_store()
    hold(store, made_up_stays())
    monkeypatch.setenv("LEMOF_DB_URL", store.url)
    st.cache_data.clear()
    st.cache_resource.clear()
    yield store
    st.cache_resource.clear()


def test_counts_and_lists_follow_what_is_counted_anew(held: Store) -> None:
    n = int((made_up_stays()["sex"] == "F").sum())
    assert queries_cohort.counted(queries_cohort.browse_stamp(RUN), WOMEN).n == n < 200
    assert len(queries_cohort.listed_stays(RUN, "where=&sex=F")) == n
    with held.writing() as conn:
        conn.exec_driver_sql("UPDATE subject SET sex = 'F'")
        conn.exec_driver_sql("INSERT INTO ingest_step VALUES (1, 'samples', 'b', 1, '2150-01-01 00:00:00.000000')")
    assert queries_cohort.counted(queries_cohort.browse_stamp(RUN), WOMEN).n == n, "not counted anew yet"
    assert facets.make_current(held)
    assert queries_cohort.counted(queries_cohort.browse_stamp(RUN), WOMEN).n == 200
    assert len(queries_cohort.listed_stays(RUN, "where=&sex=F")) == 200


def test_a_list_that_reads_no_run_reads_the_stays_once(held: Store) -> None:
    counted = queries_cohort.browser(RUN)
    queries_cohort.counted(queries_cohort.browse_stamp(RUN), WOMEN)
    ids = queries_cohort.listed_stays(RUN, "where=&sex=F")
    with held.writing() as conn:
        conn.exec_driver_sql("DELETE FROM stay_facet")
    assert queries_cohort.listed_stays(None, "where=&sex=F").tolist() == ids.tolist(), "the same list for every run"
    assert len(queries_cohort.listed_stays(RUN, "where=&sex=M")) == 200 - len(ids), "from what the page has read"
    assert queries_cohort.browser(RUN) is counted


def test_predictions_that_come_later_are_seen(held: Store) -> None:
    scored = int(np.isfinite(made_up_stays()["p"].to_numpy(float)).sum())
    any_p = Filters(p=(0.0, 1.0))
    with held.writing() as conn:
        conn.exec_driver_sql("CREATE TABLE kept AS SELECT * FROM prediction")
        conn.exec_driver_sql("DELETE FROM prediction")
    assert queries_cohort.counted(queries_cohort.browse_stamp(RUN), any_p).n == 0
    with held.writing() as conn:
        conn.exec_driver_sql("INSERT INTO prediction SELECT * FROM kept")
    st.cache_data.clear()  # the number of predictions is asked for anew every 15 s
    assert queries_cohort.counted(queries_cohort.browse_stamp(RUN), any_p).n == scored > 0


def test_many_first_readers_count_once(held: Store) -> None:
    for table in ("stay_facet", "facet_count", "facet_state"):
        with held.writing() as conn:
            conn.exec_driver_sql(f"DELETE FROM {table}")
    with ThreadPoolExecutor(4) as pool:
        stamps = list(pool.map(queries_cohort.browse_stamp, [None] * 4))
    assert len(set(stamps)) == 1 and stamps[0][1] is not None
    assert queries_cohort.browser(None).count(Filters()) == 200
