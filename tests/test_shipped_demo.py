"""What `make run` prepares: the weights in the repository are readable, and the demo is whole and made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohort_db import read_results
from cohort_db.store import open_store
from lemof_core.jobs import demo as job
from lemof_core.jobs.shipped import HELD_OUT


@pytest.mark.slow
def test_the_shipped_run_scores_patients_it_never_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "DEMO_STAYS", 14)
    store = open_store(f"sqlite:///{tmp_path / 'cohort.db'}", create=True)
    told = job.demo(store)
    predicted = read_results.predictions(store, told["run_id"])
    assert told["scored"] == told["samples"] > 8
    assert set(predicted["split"]) == {"test"}
    assert predicted["p"].between(0, 1).all() and predicted["array_row"].notna().all()
    assert not read_results.metrics(store, told["run_id"], HELD_OUT).empty
    again = job.demo(store)
    assert again["run_id"] == told["run_id"] and again["scored"] == 0
    store.close()
