"""Synthetic folders on the road of real ones: every charted item is read, and several cohorts share a store."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from ingest_support import rows_of
from sqlalchemy import func, select
from store_support import MakeStore, make_sqlite

from cohort_db.ecg_preparation import pending_ecgs
from cohort_db.ingest import ingest
from cohort_db.schema import dataset, measurement, stay
from cohort_db.synthetic import write_cohort
from cohort_db.synthetic.description import cohort_name
from cohort_db.synthetic.stays import Ids
from cohort_db.variables import catalogue

__all__ = ["make_sqlite"]

DEFAULTS = {"n_test_stays": 0, "planted": None, "ecg_main": True, "cross_modal": True, "ecg_missing": 0.0}


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """25 stays of seed 1 and 8 of seed 2026."""
    home = tmp_path_factory.mktemp("cohorts")
    write_cohort(home / "a", n_stays=25, seed=1)
    write_cohort(home / "b", n_stays=8, seed=2026)
    return home / "a", home / "b"


def items_in(folder: Path, table: str) -> set[int]:
    return set(pl.read_csv(folder / f"{table}.csv.gz", columns=["itemid"])["itemid"])


def test_every_charted_item_is_one_of_the_catalogue(cohorts: tuple[Path, Path]) -> None:
    chart_items = {item for variable in catalogue() for item in variable.chart_items}
    lab_items = {item for variable in catalogue() for item in variable.lab_items}
    charted, drawn = items_in(cohorts[0], "icu/chartevents"), items_in(cohorts[0], "hosp/labevents")
    assert charted and charted <= chart_items
    assert drawn and drawn <= lab_items
    glucose = next(variable for variable in catalogue() if variable.name == "glucose")
    assert charted & set(glucose.chart_items) and drawn & set(glucose.lab_items)


def test_no_synthetic_row_is_left_unread_but_the_dirt_that_was_put_in(
    make_sqlite: MakeStore, cohorts: tuple[Path, Path]
) -> None:
    store = make_sqlite()
    sources = {count.source: count for count in ingest(store, cohorts[0]).sources}
    assert set(sources["chartevents"].dropped) <= {"implausible", "repeated"}
    assert set(sources["labevents"].dropped) <= {"no number", "repeated"}
    for source in ("chartevents", "labevents"):
        assert sources[source].kept > 0.98 * sources[source].read
    read = {row.itemid for row in rows_of(store, select(measurement.c.itemid).distinct())}
    assert read == items_in(cohorts[0], "icu/chartevents") | items_in(cohorts[0], "hosp/labevents")


def test_two_cohorts_in_one_store_are_two_datasets_with_their_own_waveforms(
    make_sqlite: MakeStore, cohorts: tuple[Path, Path]
) -> None:
    store = make_sqlite()
    for folder in cohorts:
        ingest(store, folder, folder / "ecg")
    found = rows_of(store, select(dataset.c.name, dataset.c.ecg_folder).order_by(dataset.c.dataset_id))
    assert found == [
        ("LeMoF synthetic cohort, 25 stays, seed 1", str(cohorts[0] / "ecg")),
        ("LeMoF synthetic cohort, 8 stays, seed 2026", str(cohorts[1] / "ecg")),
    ]
    listed = [pl.read_csv(folder / "ecg" / "record_list.csv").height for folder in cohorts]
    pending = pending_ecgs(store)
    assert pending.groupby("dataset_id").size().tolist() == listed
    assert all(record.with_suffix(".dat").is_file() for record in pending["record"])
    stays = sum(pl.read_csv(folder / "icu/icustays.csv.gz").height for folder in cohorts)
    assert rows_of(store, select(func.count()).select_from(stay)) == [(stays,)]


def test_ids_of_a_cohort_are_its_own_up_to_a_hundred_thousand_stays() -> None:
    cohorts = [(100_000, 1), (100_000, 2), (100_000, 2026)]
    taken = {kind: [set(Ids(n, seed).take(kind, n).tolist()) for n, seed in cohorts] for kind in ("subject", "stay")}
    taken["study"] = [set(Ids(25_000, seed).take("study", 100_000).tolist()) for _, seed in cohorts]
    for kind, digit in (("subject", 5), ("stay", 7), ("study", 8)):
        assert len(set.union(*taken[kind])) == 300_000
        assert {number // 10**8 for ids in taken[kind] for number in ids} == {digit}
    again = Ids(100_000, 1).take("subject", 100_000)
    assert again.tolist() == Ids(100_000, 1).take("subject", 100_000).tolist() != sorted(again.tolist())


def test_the_largest_cohort_of_the_last_seed_has_unique_ids_of_nine_digits() -> None:
    ids = Ids(1_080_000, 999)
    for kind, n, digit in (("subject", 1_080_000, 5), ("hadm", 1_080_000, 6), ("study", 4_320_000, 8)):
        taken = pl.Series(ids.take(kind, n))
        assert taken.n_unique() == n and (taken // 10**8 == digit).all()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"n_stays": 200, "seed": 0}, "LeMoF synthetic cohort, 200 stays, seed 0"),
        (
            {"n_stays": 3000, "n_test_stays": 10_000, "seed": 1, "ecg_missing": 0.1},
            "LeMoF synthetic cohort, 3,000 + 10,000 stays, seed 1, 10 % without ECG",
        ),
        (
            {"n_stays": 9, "seed": 4, "planted": "low", "ecg_main": False, "cross_modal": False, "ecg_missing": 0.125}
            | {"missing": "informative"},
            "LeMoF synthetic cohort, 9 stays, seed 4, planted low, no main effect of the ECG, no interaction, "
            "12.5 % without ECG (informative)",
        ),
    ],
)
def test_the_name_says_size_seed_and_what_is_not_the_default(arguments: dict[str, object], name: str) -> None:
    assert cohort_name(DEFAULTS | {"missing": "mcar"} | arguments) == name
    assert len(name) <= 200
