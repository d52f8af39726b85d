"""The road from rows to results: what a run stores, what a killed job leaves, and what evaluate counts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from demo_support import N_STAYS, quick_config
from sklearn.metrics import roc_auc_score

from cohort_db import read, read_results
from cohort_db.errors import InputMistake
from cohort_db.schema import METADATA
from cohort_db.schema import sample as sample_table
from cohort_db.schema import split as split_table
from cohort_db.schema import task as task_table
from cohort_db.store import Store, open_store
from lemof_core.checkpoint import load_model
from lemof_core.config import RunConfig
from lemof_core.errors import ModelMistake
from lemof_core.jobs import bridge, score
from lemof_core.jobs import score as score_job
from lemof_core.jobs.evaluate import evaluate
from lemof_core.jobs.shipped import HELD_OUT, export, import_shipped
from lemof_core.jobs.train import train
from lemof_core.run_folder import run_folder

BARRED = (
    "race",
    "language",
    "insurance",
    "marital_status",
    "discharge_location",
    "dischtime",
    "hospital_expire_flag",
    "icd",
    "diagnosis",
    "deathtime",
    "dod",
    "outtime",
    "los",
)

LATE = datetime(2300, 1, 1)
KNOWN_LATE: dict[str, dict[str, Any]] = {
    "subject": {"dod": LATE.date()},
    "admission": {
        "dischtime": LATE,
        "deathtime": LATE,
        "discharge_location": "x",
        "insurance": "x",
        "language": "x",
        "marital_status": "x",
        "race": "x",
        "hospital_expire_flag": True,
    },
    "stay": {"outtime": LATE, "los_hours": 1.0, "died_in_icu": True, "death_offset_s": 1},
    "sample": {"outcome_hours": 1.0, "died_before_cut": True},
}


def copied(demo_home: Path, tmp_path: Path) -> Store:
    home = tmp_path / "copy"
    shutil.copytree(demo_home, home, ignore=shutil.ignore_patterns("lock"))
    return open_store(f"sqlite:///{home / 'cohort.db'}")


def test_every_sample_is_scored_once_and_explained(demo_store: Store) -> None:
    run_id = read_results.newest_run(demo_store)
    predicted = read_results.predictions(demo_store, run_id)
    samples = read.samples(demo_store)
    assert len(samples) == N_STAYS
    assert sorted(predicted["sample_id"]) == sorted(samples["sample_id"])
    assert predicted["array_row"].is_unique and predicted["array_row"].notna().all()
    merged = predicted.merge(samples[["sample_id", "split", "ecg_usable"]], on="sample_id", suffixes=("", "_sample"))
    assert (merged["split"] == merged["split_sample"]).all()
    assert ((merged["path"] == "both") == merged["ecg_usable"].fillna(False)).all()


def test_what_the_model_reads_has_no_barred_field_and_no_diagnosis(demo_store: Store) -> None:
    arrays = bridge.load_cohort(demo_store).arrays
    names = (*arrays.series_names, *arrays.static_names, *arrays.aux_names)
    assert not [name for name in names for word in BARRED if word in name.split("_")]
    run = read_results.run(demo_store, read_results.newest_run(demo_store))
    model = load_model(run_folder(run["folder"], demo_store.runs_folder))
    assert (model.scaler.series_names, model.scaler.static_names) == (arrays.series_names, arrays.static_names)


def test_rows_after_t0_and_late_stored_ones_never_reach_the_arrays(demo_home: Path, tmp_path: Path) -> None:
    store = copied(demo_home, tmp_path)
    before = bridge.load_cohort(store).arrays
    from sqlalchemy import text

    with store.writing() as conn:
        changed = conn.execute(
            text("UPDATE measurement SET value = value + 1000 WHERE offset_s > 86400 OR stored_offset_s > 86400")
        )
        assert changed.rowcount > 100
    after = bridge.load_cohort(store).arrays
    np.testing.assert_array_equal(before.series, after.series)
    with store.writing() as conn:
        conn.execute(text("UPDATE measurement SET value = value + 1 WHERE offset_s BETWEEN 0 AND 86400"))
    assert not np.array_equal(bridge.load_cohort(store).arrays.series, before.series, equal_nan=True)
    store.close()


def test_what_is_known_after_the_stay_alone_cannot_reach_the_arrays(demo_home: Path, tmp_path: Path) -> None:
    """Diagnoses, billing and how it ended: emptied or turned round, the model reads the same."""
    store = copied(demo_home, tmp_path)
    before = bridge.load_cohort(store).arrays
    with store.writing() as conn:
        assert conn.execute(METADATA.tables["diagnosis"].delete()).rowcount > 100
        for table in ("event_interval", "note"):
            conn.execute(METADATA.tables[table].delete())
        for table, values in KNOWN_LATE.items():
            assert conn.execute(METADATA.tables[table].update().values(values)).rowcount >= N_STAYS
    after = bridge.load_cohort(store).arrays
    for name in ("ecg_uv", "ecg_present", "series", "static", "aux", "labels"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)
    store.close()


def test_patients_lie_in_one_split_each(demo_store: Store) -> None:
    samples = read.samples(demo_store)
    assert (samples.groupby("subject_id")["split"].nunique() == 1).all()
    assert set(samples["split"]) == {"train", "val", "meta", "cal", "test"}


@pytest.fixture
def coarse_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step of integrated gradients in place of ten, where it is not they that are looked at."""
    monkeypatch.setattr("lemof_core.explain.gradients.N_STEPS", 1)


@pytest.mark.usefixtures("coarse_gradients")
def test_a_killed_score_goes_on_where_it_was(demo_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = copied(demo_home, tmp_path)
    run_id = read_results.newest_run(store)
    whole = read_results.predictions(store, run_id).set_index("sample_id")
    with store.writing() as conn:
        for table in METADATA.sorted_tables[::-1]:
            if table.name in ("prediction", "level_score", "branch_value", "input_effect", "trust"):
                conn.execute(table.delete())
        conn.execute(METADATA.tables["array_ref"].delete().where(METADATA.tables["array_ref"].c.owner == run_id))
    shutil.rmtree(store.arrays_folder / run_id)
    real, calls = score_job.results.add_scored, []

    def dies(*args: object, **kwargs: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(score_job.results, "add_scored", dies)
    with pytest.raises(KeyboardInterrupt):
        score.score(store, run_id)
    assert len(read_results.predictions(store, run_id)) == 64
    monkeypatch.setattr(score_job.results, "add_scored", real)
    assert score.score(store, run_id)["scored"] == N_STAYS - 64
    again = read_results.predictions(store, run_id).set_index("sample_id")
    # The same batches of 32 in the same order: bit-equal.
    np.testing.assert_array_equal(again.loc[whole.index, "logit"], whole["logit"])
    assert score.score(store, run_id)["scored"] == 0
    store.close()


@pytest.mark.usefixtures("coarse_gradients")
def test_explanations_come_later_and_leave_the_numbers_alone(demo_home: Path, tmp_path: Path) -> None:
    store = copied(demo_home, tmp_path)
    run_id = train(store, quick_config(seed=2))["run_id"]
    assert score.score(store, run_id, explain=False)["explained"] == 0
    before = read_results.predictions(store, run_id)
    assert before["array_row"].isna().all()
    told = score.score(store, run_id)
    assert (told["scored"], told["already_scored"], told["explained"]) == (0, N_STAYS, N_STAYS)
    after = read_results.predictions(store, run_id)
    assert after["array_row"].is_unique and after["array_row"].notna().all()
    assert after.drop(columns="array_row").equals(before.drop(columns="array_row"))
    one = after[after["path"] == "both"].iloc[0]
    effect = read_results.input_effect(store, run_id, one["sample_id"])
    assert effect is not None and effect["v_both"] == pytest.approx(one["logit"], abs=1e-5)
    assert score.score(store, run_id)["explained"] == 0
    store.close()


def test_a_run_is_not_asked_what_it_was_not_fitted_for(demo_home: Path, tmp_path: Path) -> None:
    store = copied(demo_home, tmp_path)
    run_id = read_results.newest_run(store)
    assert {"t0_hours": 24.0, "cut_hours": 72.0}.items() <= read_results.run(store, run_id).items()
    with store.writing() as conn:
        conn.execute(task_table.update().values(cut_hours=120.0))
    with pytest.raises(InputMistake, match=r"cut of 72 h, .* cut of 120 h"):
        score.score(store, run_id)
    assert read_results.run(store, run_id)["fit_report"]["rules"]["ecg_link"] == "last"
    rules = read.task_definition(store)["rules"] | {"ecg_link": "first"}
    with store.writing() as conn:
        conn.execute(task_table.update().values(cut_hours=72.0, rules=rules))
    with pytest.raises(InputMistake, match=r"fitted on the last ECG .* links the first"):
        score.score(store, run_id)
    store.close()


def test_a_shipped_run_knows_the_patients_that_taught_it(
    demo_home: Path, demo_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lemof_core.run_folder.SHIPPED_FOLDER", tmp_path)
    run_id = read_results.newest_run(demo_store)
    export(demo_store, run_id, tmp_path / "shipped")
    fitted_on = {row.sample_id: row.split for row in read.samples(demo_store).itertuples()}
    other = copied(demo_home, tmp_path)
    with other.writing() as conn:  # the same patients in a store that never fitted anything
        for table in METADATA.sorted_tables[::-1]:
            if "run_id" in table.c:
                conn.execute(table.delete())
        conn.execute(METADATA.tables["array_ref"].delete().where(METADATA.tables["array_ref"].c.owner == run_id))
    shutil.rmtree(other.arrays_folder / run_id)
    import_shipped(other, tmp_path / "shipped")
    score.score(other, run_id, explain=False)
    predicted = read_results.predictions(other, run_id)
    assert dict(zip(predicted["sample_id"], predicted["split"], strict=True)) == fitted_on
    other.close()


def test_evaluate_counts_and_ranks_as_scikit_learn_does(demo_store: Store) -> None:
    run_id = read_results.newest_run(demo_store)
    metrics = read_results.metrics(demo_store, run_id, "test")
    predicted = read_results.predictions(demo_store, run_id, "test")
    final = metrics[(metrics["source"] == "final") & (metrics["stratum_kind"] == "all")]
    with_deaths = final[final["deaths"] == "with"].set_index("name")
    y = predicted["label"].astype(int)
    assert with_deaths.loc["auroc", "n"] == len(y) and with_deaths.loc["auroc", "events"] == y.sum()
    assert with_deaths.loc["auroc", "value"] == pytest.approx(roc_auc_score(y, predicted["p"]))
    without = final[final["deaths"] == "without"].set_index("name")
    assert without.loc["auroc", "n"] == (~predicted["died_before_cut"].astype(bool)).sum()
    majority = metrics[
        (metrics["source"] == "majority") & (metrics["stratum_kind"] == "all") & (metrics["deaths"] == "with")
    ]
    counts = [part for name, part in read_results.run(demo_store, run_id)["n_by_split"].items() if name != "test"]
    commoner = 2 * sum(part["events"] for part in counts) > sum(part["n"] for part in counts)
    assert majority.set_index("name").loc["acc_50", "value"] == pytest.approx((y == commoner).mean())
    sexes = metrics[(metrics["stratum_kind"] == "sex") & (metrics["name"] == "brier") & (metrics["deaths"] == "with")]
    assert sexes["n"].sum() == len(y)


def test_evaluate_without_predictions_says_what_to_do(demo_home: Path, tmp_path: Path) -> None:
    store = copied(demo_home, tmp_path)
    with pytest.raises(InputMistake, match="lemof score"):
        evaluate(store, split="nowhere")
    store.close()


def test_an_exported_run_predicts_the_same_in_another_store(demo_home: Path, demo_store: Store, tmp_path: Path) -> None:
    run_id = read_results.newest_run(demo_store)
    export(demo_store, run_id, tmp_path / "shipped")
    other = copied(demo_home, tmp_path)
    assert import_shipped(other, tmp_path / "shipped") == run_id
    assert read_results.metrics(other, run_id, HELD_OUT).equals(read_results.metrics(demo_store, run_id, "test"))
    other.close()


def test_a_second_training_is_a_second_run(demo_home: Path, tmp_path: Path) -> None:
    store = copied(demo_home, tmp_path)
    first = read_results.newest_run(store)
    second = train(store, quick_config("paper", seed=1))["run_id"]
    assert second != first and set(read_results.runs(store)["run_id"]) == {first, second}
    assert read_results.run(store, second)["preset"] == "paper"
    store.close()


def diverging(store: Store) -> RunConfig:
    config = quick_config(ecg_encoder="baseline", ehr_encoder="baseline", fitting="holdout", fusion="daft")
    return replace(config, net=replace(config.net, lr=1e37, max_epochs=2))


def one_class(store: Store) -> RunConfig:
    with store.writing() as conn:
        conn.execute(sample_table.update().values(label=1))
    return quick_config(seed=5)


def nobody_in_train(store: Store) -> RunConfig:
    with store.writing() as conn:
        conn.execute(split_table.update().where(split_table.c.split == "train").values(split="test"))
    return quick_config(seed=5)


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (diverging, "training stopped: the (validation )?loss of daft became (nan|inf) in epoch 1; lower its lr"),
        (
            one_class,
            r"at least 2 samples of each class in train, however: n = (\d+), events = \1; ingest more patients",
        ),
        (nobody_in_train, "at least 2 samples of each class in train, however: n = 0, events = 0"),
    ],
)
def test_a_training_that_stops_leaves_every_earlier_run_as_it_was(
    cause: Callable[[Store], RunConfig], sentence: str, demo_home: Path, tmp_path: Path
) -> None:
    store = copied(demo_home, tmp_path)
    run_id = read_results.newest_run(store)
    config = cause(store)

    def kept() -> list[Any]:
        files = {file: file.read_bytes() for file in sorted(store.runs_folder.rglob("*")) if file.is_file()}
        with store.engine.connect() as conn:
            of_runs = [t for t in METADATA.sorted_tables if "run_id" in t.c]
            return [files, *(conn.execute(table.select()).fetchall() for table in of_runs)]

    before = kept()
    with pytest.raises(ModelMistake, match=sentence):
        train(store, config)
    assert kept() == before and len(before[0]) > 1
    assert not [folder for folder in store.runs_folder.iterdir() if folder.name != run_id], "no draft is left behind"
    store.close()
