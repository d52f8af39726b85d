"""`lemof benchmark`: what it writes, that it resumes, that its numbers are the runs' own."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cohort_db import read_results
from cohort_db.errors import InputMistake
from cohort_db.schema import sample
from cohort_db.store import Store, open_store
from dashboard.measured import read_measured
from lemof_core.benchmark import cell_files
from lemof_core.benchmark import cells as cells_module
from lemof_core.benchmark.cell_files import CellFiles
from lemof_core.benchmark.cells import Cell
from lemof_core.benchmark.measure import Outcome
from lemof_core.config import RunConfig, preset
from lemof_core.errors import ModelMistake
from lemof_core.jobs import benchmark as job
from lemof_core.jobs import benchmark_files
from lemof_core.jobs.bridge import load_cohort
from lemof_core.jobs.cli import app
from lemof_core.jobs.score import score
from lemof_core.jobs.sensitivity import sensitivity
from lemof_core.jobs.train import train

PAIR = [("resnet", "baseline")]
HOW: dict[str, Any] = {"arms": ["frozen", "finetuned"], "fitting": "holdout", "seeds": [0], "pairs": PAIR}


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells' own configurations, a few epochs long."""

    def quick(name: str, **changes: Any) -> RunConfig:
        full = preset(name, **changes)
        return replace(
            full,
            n_folds=2,
            ecg_training=replace(full.ecg_training, max_epochs=1, pretrain_epochs=0),
            ehr_training=replace(full.ehr_training, max_epochs=1),
            cross=replace(full.cross, max_epochs=1, d=8, n_heads=1),
            net=replace(full.net, max_epochs=1, d=8),
            tuning=replace(full.tuning, max_epochs=1),
            decision=replace(full.decision, n_background=16, n_input_background=4),
        )

    monkeypatch.setattr(cells_module, "preset", quick)


@pytest.fixture
def store(demo_home: Path, tmp_path: Path) -> Store:
    """A store of its own folder on the demo's samples, so that cells lie nowhere else."""
    home = tmp_path / "bench"
    home.mkdir()
    for file in demo_home.iterdir():
        if file.name in ("arrays", "raw"):
            (home / file.name).symlink_to(file)
    (home / "cohort.db").write_bytes((demo_home / "cohort.db").read_bytes())
    return open_store(f"sqlite:///{home / 'cohort.db'}")


def _costs_count_what_the_prediction_reads(out: Path) -> None:
    cells = pd.read_csv(out / "cells.csv", keep_default_na=False)
    count = {(row.fusion, row.arm): row.n_parameters for row in cells.itertuples() if row.variant in ("", "robust")}
    assert count["majority", ""] == 0
    assert count["late", ""] == count["ecg_only", ""] + count["ehr_only", ""]
    assert count["daft", "frozen"] == count["daft", "finetuned"] > count["late", ""]
    assert count["lemof", "finetuned"] > count["lemof", "frozen"], "its stack reads the levels of Stage 1 too"


def _the_page_without_a_dashboard(text: str) -> None:
    assert text.startswith("**Synthetic patients.**") and "surrogate" not in text.lower()
    results, ranks, differences, costs = (part.splitlines() for part in text.split("\n## ")[1:])
    tables = [[line for line in part if line.startswith("|")] for part in (results, ranks, differences, costs)]
    assert all(len({line.count("|") for line in table}) == 1 for table in tables), "rows as wide as their heads"
    assert [len(table) - 2 for table in (tables[0], tables[1], tables[3])] == [17 * 3, 5 + 6, 17]
    for metric in ("AUROC", "AUPRC", "ACC, tuned", "macro-F1 at 0.5", "Brier", "calibration slope"):
        assert f"| {metric} |" in tables[0][0], metric
    ranked = [line.split("|")[5] for line in tables[1][2:] if line.startswith("| holdout | frozen | 1 |")]
    assert sorted(float(rank) for rank in ranked) == pytest.approx([1, 2, 3, 4, 5], abs=0.5), "or ties"
    assert len(tables[2]) > 10 and "LeMoF minus it" in tables[2][0]


def test_a_table_is_measured_once_and_read_by_the_methods_page(store: Store) -> None:
    told = job.benchmark(store, "table1", **HOW)
    assert told["measured"] == told["cells"] == 17
    out = Path(told["out"])
    measured = read_measured(out)
    assert measured is not None and measured.about.synthetic and measured.about.p_x is not None
    assert set(measured.results["fusion"]) >= {"lemof", "daft", "medfuse", "drfuse", "mmtm", "hyperfusion", "majority"}
    assert len(measured.cells) == 17 and (measured.cells["n_parameters"] > 0).sum() == 16, "majority reads nothing"
    of_model = measured.results.groupby(["fusion", "variant", "arm"], dropna=False)
    assert of_model.ngroups == 17, "each model has a row of each metric"
    for name, rows in of_model:
        assert {"auroc", "acc_50", "acc_tuned"} <= set(rows["metric"]), name
    commoner = measured.results.query("fusion == 'majority' and stratum == 'all'").set_index("metric")["value"]
    base = load_cohort(store)
    share = base.arrays.labels[base.splits["test"]].mean()
    assert commoner["acc_50"] == commoner["acc_tuned"] == pytest.approx(max(share, 1 - share), abs=1e-5)
    first = {name: (out / name).read_text() for name in ("results.csv", "differences.csv", "cells.csv", "results.md")}
    again = job.benchmark(store, "table1", **HOW)
    assert again["measured"] == 0
    assert first == {name: (out / name).read_text() for name in first}
    _the_page_without_a_dashboard(first["results.md"])
    _costs_count_what_the_prediction_reads(out)
    more = job.benchmark(store, "table2", **HOW)
    assert more["measured"] == 3, "LeMoF and single modalities are shared with table 1; M1 and M2's two arms are new"
    by_disease = pd.read_csv(Path(more["out"]) / "results.csv")
    assert {"all", "with ECG", "without ECG"} < set(by_disease["stratum"]) and by_disease["stratum"].nunique() > 8
    narrow = job.benchmark(store, "table1", **{**HOW, "arms": ["frozen"]})
    assert narrow["measured"] == 0 and narrow["cells"] == 17, "a narrower question does not narrow the table"
    parts = pd.read_csv(out / "results.csv").query("metric == 'auroc' and fusion == 'daft'")
    for _, one in parts.groupby("arm"):
        sizes = one.set_index("stratum")["n"]
        assert sizes["with ECG"] + sizes["without ECG"] == sizes["all"]
    assert json.loads((out / "about.json").read_text())["command"].startswith(
        "lemof benchmark table1 --fitting holdout"
    )
    store.close()


def test_a_benchmark_that_was_stopped_goes_on_where_it_was(store: Store) -> None:
    def stop(what: str, done: int, total: int) -> None:
        if total == 11 and done == 5:
            raise KeyboardInterrupt

    how = {**HOW, "arms": ["frozen"]}
    with pytest.raises(KeyboardInterrupt):
        job.benchmark(store, "table1", **how, progress=stop)
    assert not (store.folder / "benchmark" / "table1").exists(), "no table of a part"
    assert job.benchmark(store, "table1", **how)["measured"] == 11 - 5
    store.close()


@pytest.mark.slow
def test_a_cell_that_diverges_stops_the_table_and_what_was_measured_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sane = cells_module.preset
    frozen = {**HOW, "arms": ["frozen"]}
    earlier = Path(job.benchmark(store, "table2", **frozen)["out"])
    first = {file.name: file.read_bytes() for file in earlier.iterdir()}

    def diverging(name: str, **changes: Any) -> RunConfig:
        config = sane(name, **changes)
        return replace(config, net=replace(config.net, lr=1e37)) if config.fusion == "medfuse" else config

    monkeypatch.setattr(cells_module, "preset", diverging)
    with pytest.raises(ModelMistake, match=r"training stopped: the (validation )?loss of medfuse became (nan|inf)"):
        job.benchmark(store, "table1", **frozen)
    assert not (store.folder / "benchmark" / "table1").exists(), "no table of a part"
    assert first == {file.name: file.read_bytes() for file in earlier.iterdir()}
    monkeypatch.setattr(cells_module, "preset", sane)
    assert job.benchmark(store, "table1", **frozen)["measured"] == 1, "all but MedFuse were there"
    store.close()


def test_a_test_split_of_one_class_is_refused_and_an_earlier_table_stays(store: Store) -> None:
    how = {**HOW, "arms": ["frozen"]}
    out = Path(job.benchmark(store, "table2", **how)["out"])
    first = {file.name: file.read_bytes() for file in out.iterdir()}
    with store.writing() as conn:
        conn.execute(sample.update().values(label=1))
    with pytest.raises(InputMistake, match=r"both classes in test, however: n = (\d+), events = \1; ingest more"):
        job.benchmark(store, "table2", **how)
    assert first == {file.name: file.read_bytes() for file in out.iterdir()}
    store.close()


def test_what_was_never_fitted_is_said_above_the_numbers_and_an_earlier_table_stays_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing() as conn:
        conn.execute(sample.update().values(study_id=None, ecg_offset_s=None))
    how = {**HOW, "arms": ["frozen"]}
    out = Path(job.benchmark(store, "table2", **how)["out"])
    about = json.loads((out / "about.json").read_text())
    said = about["not_estimable"]
    assert [line for line in said if line.startswith("ecg path: not estimable, n = 0 samples with an ECG to fit on (")]
    assert "lemof_m2: not estimable without ECGs to fit on: the record's level predictions stand for it" in said
    assert about["rules"]["ecg_link"] == "last" and len(about["datasets"]) == 1
    assert "ecg path: not estimable" in (out / "results.md").read_text().split("## Results")[0]
    read = read_measured(out)
    assert read is not None and read.about.not_estimable == tuple(said)

    first = {file.name: file.read_bytes() for file in out.iterdir()}

    def broken(*_: Any) -> str:
        raise RuntimeError("no space left")

    monkeypatch.setattr(benchmark_files, "markdown", broken)
    with pytest.raises(RuntimeError, match="no space left"):
        job.benchmark(store, "table2", **how)
    assert first == {file.name: file.read_bytes() for file in out.iterdir()}
    store.close()


@pytest.mark.slow
def test_a_leak_is_shown_by_one_process_and_groups_without_patients_say_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    strata = job.ecg_strata

    def with_nobody(cohort: Any) -> dict[str, np.ndarray]:
        found = strata(cohort)
        return found | {"nobody": np.zeros_like(found["all"])}

    monkeypatch.setattr(job, "ecg_strata", with_nobody)
    told = job.benchmark(store, "leak", arms=["frozen"], pairs=PAIR)
    found = pd.read_csv(Path(told["out"]) / "results.csv")
    assert set(found["fitting"]) == {"naive", "holdout", "oof5"}
    assert set(found["variant"].dropna()) == {"robust", "paper"}
    none = found[found["stratum"] == "nobody"]
    assert len(none) and none["value"].isna().all() and (none["n"] == 0).all()
    assert "not estimable, n = 0" in (Path(told["out"]) / "results.md").read_text()
    store.close()


def test_cells_of_an_older_program_are_left_alone(store: Store) -> None:
    cohort = load_cohort(store)
    files = CellFiles(store.folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    cell = Cell("resnet", "baseline", "late", "", "", "holdout", 0)
    files.keep(cell, Outcome(np.zeros(3), np.full(3, 0.5), 1.0, 10, 2.0))
    with np.load(files.path(cell)) as now:
        kept = dict(now)
    for number, other in enumerate(({"ecg": "resnet"}, json.loads(str(kept["cell"])) | {"variant": "gone"})):
        np.savez(files.folder / f"old-{number}.npz", **(kept | {"cell": np.array(json.dumps(other))}))
    assert files.known() == [cell]
    store.close()


def test_a_cells_numbers_are_those_of_the_run_that_train_and_score_make(store: Store) -> None:
    cell = Cell("resnet", "baseline", "drfuse", "", "frozen", "holdout", 0)
    cohort = load_cohort(store)
    files = CellFiles(store.folder / "benchmark" / "cells", cohort.arrays, cohort.splits)
    job.benchmark(store, "table1", **{**HOW, "arms": ["frozen"]})
    measured = files.load(cell)
    assert measured is not None
    run_id = train(store, cell.config())["run_id"]
    score(store, run_id, explain=False)
    stored = read_results.predictions(store, run_id, "test").set_index("sample_id")["logit"]
    names = [cohort.arrays.sample_ids[row] for row in cohort.splits["test"]]
    np.testing.assert_allclose(measured.logit, stored.loc[names], atol=1e-5)
    cuts = read_results.calibrations(store, run_id).set_index("path")["threshold"]
    assert set(np.unique(measured.threshold[np.isfinite(measured.threshold)])) <= set(cuts.dropna())
    store.close()


@pytest.mark.slow
def test_other_landmarks_and_cuts_are_cohorts_of_their_own(store: Store, demo_home: Path) -> None:
    how = {**HOW, "arms": ["frozen"], "t0_hours": [24.0, 48.0], "cut_days": [2.0]}
    told = sensitivity(store, demo_home / "raw", demo_home / "raw" / "ecg", **how)
    found = read_measured(Path(told["out"]))
    assert found is not None and told["measured"] == told["cells"] == 7
    assert set(found.results["stratum"]) == {"t0=24 cut=48"}, "48 h after admission a stay of 48 h is no question"
    longer = found.results.query("metric == 'auroc' and fusion == 'lemof'")["events"].item()
    own = load_cohort(store)
    assert longer > own.arrays.labels[own.splits["test"]].sum(), "an earlier cut has more long stays"
    assert sensitivity(store, demo_home / "raw", demo_home / "raw" / "ecg", **how)["measured"] == 0
    later = sensitivity(store, demo_home / "raw", demo_home / "raw" / "ecg", **(how | {"cut_days": [3.0]}))
    both = pd.read_csv(Path(later["out"]) / "results.csv")
    assert later["measured"] == 14 and set(both["stratum"]) == {"t0=24 cut=48", "t0=24 cut=72", "t0=48 cut=72"}
    with pytest.raises(InputMistake, match="at least 24 h beyond its landmark"):
        sensitivity(store, demo_home / "raw", None, t0_hours=[24.0], cut_days=[1.5])
    store.close()


def test_other_code_or_other_names_are_other_cells(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort, cell = load_cohort(store), Cell("resnet", "baseline", "daft")

    def path(**changes: Any) -> str:
        arrays = replace(cohort.arrays, **changes)
        return CellFiles(store.folder, arrays, cohort.splits).path(cell).name

    plain = path()
    assert path() == plain
    assert path(series_names=cohort.arrays.series_names[::-1]) != plain
    assert path(subject_ids=cohort.arrays.subject_ids[::-1]) != plain
    monkeypatch.setattr(cell_files, "_SOURCES", ("fusion/daft.py",))
    assert path() != plain
    store.close()


def test_what_cannot_be_measured_is_said_in_one_sentence(store: Store) -> None:
    with pytest.raises(InputMistake, match="unknown table 'table9'; known: table1, table2"):
        job.benchmark(store, "table9")
    with pytest.raises(InputMistake, match="unknown EHR encoder 'gru'; known: baseline, ft_transformer"):
        job.benchmark(store, "table1", pairs=[("resnet", "gru")])
    found = CliRunner().invoke(app, ["benchmark", "table1", "--pair", "resnet", "--db", store.url])
    assert isinstance(found.exception, InputMistake) and "ECG+EHR" in str(found.exception)
    store.close()
