"""Exported tables read back equal to the store, each column with its words, each file with its hash; no more."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from case_support import RUN, CaseStore
from pages_support import RUN as PAGES_RUN
from pages_support import PagesStores, pages_stores

from cohort_db import export as module
from cohort_db import read_results
from cohort_db.data_hash import hash_of_run
from cohort_db.errors import InputMistake
from cohort_db.export import DICTIONARY, MANIFEST, export_tables
from cohort_db.export_tables import OF_RUN
from cohort_db.race_groups import RACE_GROUPS
from cohort_db.store import Store, open_store
from lemof_core.jobs import export as job
from lemof_core.jobs.cli import main

__all__ = ["pages_stores"]


@pytest.fixture(scope="module")
def store(case_store: CaseStore) -> Iterator[Store]:
    opened = open_store(case_store.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def exported(store: Store, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each format, everything asked for."""
    root = tmp_path_factory.mktemp("exported")
    for name in ("parquet", "csv"):
        export_tables(store, RUN, root / name, format=name, audit=True, saliency=name == "parquet")
    return {name: root / name for name in ("parquet", "csv")}


def read_back(folder: Path, table: str) -> pd.DataFrame:
    """The exported table, in the dtypes of its format."""
    if (folder / f"{table}.parquet").exists():
        return pq.read_table(folder / f"{table}.parquet").to_pandas()
    return pd.read_csv(folder / f"{table}.csv", keep_default_na=False, na_values=[""], float_precision="round_trip")


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as the same texts whatever wrote them: shortest round-trip floats, 0/1 for false/true, None."""

    def cell(value: Any) -> str | None:
        if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
            return None
        if isinstance(value, (bool, int, float, np.number, np.bool_)):
            return repr(float(value))
        if isinstance(value, pd.Timestamp):
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        return str(value)

    return frame.astype(object).map(cell)


@pytest.mark.parametrize("name", ["parquet", "csv"])
@pytest.mark.parametrize("table", [*(table.name for table in OF_RUN), "sample"])
def test_what_is_read_back_is_what_the_store_holds(
    exported: dict[str, Path], case_store: CaseStore, name: str, table: str
) -> None:
    found = read_back(exported[name], table)
    database = sqlite3.connect(case_store.home / "cohort.db")
    keys = [row[1] for row in database.execute(f"pragma table_info({table})") if row[5] and row[1] != "run_id"]
    if table == "sample":
        query = "select s.* from sample s join prediction using (sample_id) where run_id = ? order by sample_id"
    else:
        query = f"select * from {table} where run_id = ? order by {', '.join(keys)}"
    wanted = pd.read_sql(query, database, params=(RUN,), dtype=object)
    wanted = wanted[[column for column in wanted if column in found]]
    assert len(found) == len(wanted) and (len(found) > 0 or table in ("metric", "stage_weight"))
    assert set(wanted) >= set(found) - {"age_years", "sex", "first_careunit", "admission_type", "los_hours"}
    pd.testing.assert_frame_equal(as_text(found[list(wanted)]), as_text(wanted), check_dtype=False)


def test_attributions_are_the_arrays_by_sample(exported: dict[str, Path], store: Store) -> None:
    predicted = read_results.predictions(store, RUN).set_index("sample_id")
    axes = read_results.array_meta(store, RUN, "feature_attribution")["axes"]["feature"]
    for name in ("parquet", "csv"):
        found = read_back(exported[name], "feature_attribution").set_index("sample_id")
        assert list(found.columns) == axes and set(found.index) == set(predicted.index)
        for sample_id in found.index[::7]:
            row = int(predicted.loc[sample_id, "array_row"])
            stored = read_results.array_row(store, RUN, "feature_attribution", row)
            np.testing.assert_array_equal(found.loc[sample_id].to_numpy(np.float32), stored)


def test_saliency_is_one_list_per_lead_and_only_on_demand(exported: dict[str, Path], store: Store) -> None:
    found = read_back(exported["parquet"], "saliency").set_index("sample_id")
    predicted = read_results.predictions(store, RUN).set_index("sample_id")
    assert found.shape == (len(predicted), 12)
    sample_id = found.index[-1]
    stored = read_results.array_row(store, RUN, "saliency", int(predicted.loc[sample_id, "array_row"]))
    np.testing.assert_array_equal(np.stack(found.loc[sample_id].to_list()), stored.astype(np.float32))
    assert not (exported["csv"] / "saliency.csv").exists()


@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_the_manifest_names_run_hash_rows_and_every_file(exported: dict[str, Path], store: Store, name: str) -> None:
    folder = exported[name]
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["run"]["run_id"] == RUN and manifest["data_hash"] == hash_of_run(store, RUN)
    assert {one["file"] for one in manifest["files"]} | {MANIFEST} == {path.name for path in folder.iterdir()}
    for one in manifest["files"]:
        data = (folder / one["file"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (one["bytes"], one["sha256"])
        if one["file"] != DICTIONARY:
            assert one["rows"] == len(read_back(folder, one["table"]))
    assert "folder" not in manifest["run"], "a place on this machine"


@pytest.mark.parametrize("name", ["parquet", "csv"])
def test_every_column_has_its_words(exported: dict[str, Path], name: str) -> None:
    words = pd.read_csv(exported[name] / DICTIONARY, keep_default_na=False)
    tables = {path.stem for path in exported[name].iterdir()} - {"manifest", "dictionary"}
    assert set(words["table"]) == tables
    for table, some in words.groupby("table"):
        assert list(some["column"]) == list(read_back(exported[name], str(table)).columns)
    assert (words["description"].str.len() >= 3).all() and not words["description"].isin(["None", "nan"]).any()
    assert "(JSON)" in words.set_index(["table", "column"]).loc[("prediction", "unusual"), "description"]


def test_parquet_fields_carry_the_words_themselves(exported: dict[str, Path]) -> None:
    schema = pq.read_schema(exported["parquet"] / "prediction.parquet")
    assert schema.field("p").metadata[b"description"] == b"calibrated probability"


def test_audit_facts_leave_only_on_demand(store: Store, exported: dict[str, Path], tmp_path: Path) -> None:
    export_tables(store, RUN, tmp_path / "plain")
    plain = (tmp_path / "plain" / DICTIONARY).read_text(encoding="utf-8")
    for name in ("race", "insurance", "language", "saliency"):
        assert not [line for line in plain.splitlines() if line.split(",")[1].startswith(name)]
    assert set(read_back(exported["csv"], "sample_audit")["race_group"]) <= set(RACE_GROUPS)


def test_batches_are_row_groups_and_change_nothing(
    store: Store, exported: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS_AT_ONCE", 7)
    export_tables(store, RUN, tmp_path / "small")
    file = pq.ParquetFile(tmp_path / "small" / "level_score.parquet")
    assert file.num_row_groups == -(-file.metadata.num_rows // 7) > 5
    assert file.read().equals(pq.read_table(exported["parquet"] / "level_score.parquet"))


def test_an_earlier_export_is_replaced_and_other_files_are_left_alone(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_tables(store, RUN, out, audit=True)
    export_tables(store, RUN, out, format="csv")
    assert not list(out.glob("*.parquet")) and not (out / "sample_audit.csv").exists()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "thesis.txt").write_text("mine")
    with pytest.raises(InputMistake, match="other files"):
        export_tables(store, RUN, strange)
    assert [path.name for path in strange.iterdir()] == ["thesis.txt"]


def test_an_export_that_was_stopped_has_no_manifest(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_tables(store, RUN, tmp_path / "out")

    def stop(what: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_tables(store, RUN, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_a_run_without_explanations_exports_what_it_has(pages_stores: PagesStores, tmp_path: Path) -> None:
    pages = pages_stores.store("full")
    manifest = export_tables(pages, PAGES_RUN, tmp_path / "out")
    rows = {one["table"]: one["rows"] for one in manifest["files"]}
    assert rows["input_effect"] == 0 < rows["metric"] and "feature_attribution" not in rows
    assert read_back(tmp_path / "out", "input_effect").columns[0] == "sample_id"
    with pytest.raises(InputMistake, match="no saliency"):
        export_tables(pages, PAGES_RUN, tmp_path / "more", saliency=True)
    pages.close()


def test_weights_lie_beside_the_tables_on_demand(pages_stores: PagesStores, tmp_path: Path) -> None:
    home = shutil.copytree(pages_stores.home["full"], tmp_path / "home2")
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    weights = store.runs_folder / str(read_results.run(store, PAGES_RUN)["folder"])
    weights.mkdir(parents=True)
    (weights / "weights.safetensors").write_bytes(b"w")
    job.export(store, PAGES_RUN, tmp_path / "out", format="csv", weights=True)
    assert (tmp_path / "out" / "run" / "weights.safetensors").read_bytes() == b"w"
    told = job.export(store, None, tmp_path / "again", format="csv")
    assert told["rows"]["prediction"] == read_results.n_predictions(store, PAGES_RUN)
    assert not (tmp_path / "again" / "run").exists()
    store.close()


@pytest.mark.parametrize(
    ("state", "arguments", "sentence"),
    [
        ("not scored", ["--format", "csv"], "lemof score"),
        ("full", ["--format", "csv", "--with-saliency"], "parquet"),
        ("full", ["--format", "csv", "--run", "nobody"], "holds no run nobody"),
        ("full", ["--format", "xlsx"], "parquet"),
        ("full", ["--with-audit"], "--with-audit goes with tables"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    pages_stores: PagesStores,
    state: str,
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = f"sqlite:///{pages_stores.home[state] / 'cohort.db'}"
    monkeypatch.setattr(sys, "argv", ["lemof", "export", "--out", str(tmp_path / "o"), *arguments, "--db", url])
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    assert exit_.value.code == 2 and sentence in told.err and told.out == "" and not (tmp_path / "o").exists()
