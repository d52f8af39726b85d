"""The columns that the cohort page asks are the store's rows, at one moment, for many readers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cohort_support import RUN, hold, made_up_stays
from sqlalchemy import func, select
from store_support import MakeStore, make_sqlite, make_store

from cohort_db import facets, stay_columns
from cohort_db.browse import Browser
from cohort_db.stay_columns import PATHS, StayColumns, browsed
from cohort_db.stay_filters import SPLITS, Filters

__all__ = ["make_sqlite", "make_store"]


@pytest.mark.parametrize("at_once", [7, 200, 1_000])
def test_every_row_arrives_once_however_many_come_at_a_time(
    make_store: MakeStore, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(stay_columns, "_AT_ONCE", at_once)
    store = make_store()
    hold(store, made_up_stays())
    with store.reading() as conn:
        columns = StayColumns(conn, "los", RUN)
    wanted = made_up_stays().sort_values("stay_id").reset_index(drop=True)
    found = columns.rows(select(browsed).order_by(browsed.c.stay_id))
    names = [column.name for column in browsed.c]
    held = {name: [row[place] for row in found] for place, name in enumerate(names)}
    assert held["stay_id"] == wanted["stay_id"].tolist() and held["subject_id"] == wanted["subject_id"].tolist()
    assert held["inside"] == wanted["in_cohort"].astype(int).tolist()
    assert [None if code is None else SPLITS[code] for code in held["split"]] == wanted["split"].tolist()
    assert [None if code is None else PATHS[code] for code in held["path"]] == wanted["path"].tolist()
    assert held["p"] == [None if p != p else p for p in wanted["p"]]
    assert columns.column(select(browsed.c.stay_id).order_by(browsed.c.stay_id)).tolist() == held["stay_id"]


def test_many_readers_at_once_get_the_same_answers(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    browser = Browser(store, RUN)
    asked = [Filters(sex=(sex,), age=(18, 40 + number)) for number in range(20) for sex in ("F", "M")]
    with ThreadPoolExecutor(8) as pool:
        at_once = list(pool.map(browser.count, asked))
    assert at_once == [browser.count(filters) for filters in asked]


def test_what_is_held_is_one_moment_codes_and_rows_alike(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    early = Browser(store, RUN)  # has read no row yet
    units = {"MICU": "Another unit", "CCU": "CCU", "SICU": "SICU"}
    with store.writing() as conn:
        conn.exec_driver_sql("UPDATE stay SET first_careunit = 'Another unit' WHERE first_careunit = 'MICU'")
        conn.exec_driver_sql("INSERT INTO ingest_step VALUES (1, 'samples', 'b', 1, '2150-01-01 00:00:00.000000')")
    assert facets.make_current(store)
    frame = made_up_stays()
    women = Filters(sex=("F",))
    wanted = frame.loc[frame["sex"] == "F", "unit"].map(units).value_counts().to_dict()
    assert early.counts(women, "unit") == wanted
    with store.writing() as conn:
        conn.exec_driver_sql("DELETE FROM stay_facet")
    assert early.counts(women, "unit") == wanted, "read once"


def test_a_page_leaves_out_who_went_after_the_stays_were_read(make_store: MakeStore) -> None:
    store = make_store()
    hold(store, made_up_stays())
    browser = Browser(store, RUN)
    everybody = browser.stay_ids(Filters()).tolist()
    with store.writing() as conn:
        conn.exec_driver_sql(f"DELETE FROM stay_facet WHERE stay_id = {everybody[0]}")
    assert browser.page(Filters(), limit=5)["stay_id"].tolist() == everybody[1:5]


@pytest.mark.parametrize("run_id", [None, "no such run"])
def test_without_predictions_the_split_is_the_stores(make_store: MakeStore, run_id: str | None) -> None:
    store = make_store()
    hold(store, made_up_stays())
    with store.reading() as conn:
        columns = StayColumns(conn, "los", run_id)
    found = columns.rows(select(browsed.c.split, browsed.c.p, browsed.c.path).order_by(browsed.c.stay_id))
    wanted = made_up_stays().sort_values("stay_id")["own_split"].tolist()
    assert [(SPLITS[split], p, path) for split, p, path in found] == [(name, None, None) for name in wanted]


def test_nothing_is_sought_outside_the_memory(make_sqlite: MakeStore) -> None:
    store = make_sqlite()
    hold(store, made_up_stays())
    with store.reading() as conn:
        columns = StayColumns(conn, "los", None)
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "temp_directory")
    ((*found,),) = columns.rows(select(*(func.current_setting(name) for name in names)))
    assert found == [False, False, ""]
