"""Runs of rivals are stored and browsed like LeMoF's: every page opens on them, and says what they do not have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from demo_support import quick_config
from pages_support import open_page, said

from cohort_db import read_results
from cohort_db.store import Store, open_store
from lemof_core.jobs.evaluate import evaluate
from lemof_core.jobs.score import score
from lemof_core.jobs.train import train

RIVALS = {"majority": "frozen", "boosted": "frozen", "lemof_m1": "frozen"}
PAGES = ("overview", "cohort", "case", "levels", "performance", "errors", "compare", "model_card")


@pytest.fixture(scope="module")
def rival_home(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    home = tmp_path_factory.mktemp("rivals")
    for name in ("arrays", "raw"):
        (home / name).symlink_to(demo_home / name)
    (home / "cohort.db").write_bytes((demo_home / "cohort.db").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEMOF_HOME", str(home))
        store = open_store(f"sqlite:///{home / 'cohort.db'}")
        runs = {fusion: _run(store, fusion, arm) for fusion, arm in RIVALS.items()}
        store.close()
    yield home, runs


def _run(store: Store, fusion: str, arm: str) -> str:
    config = quick_config(fusion=fusion, arm=arm, ehr_encoder="baseline", fitting="holdout")
    short = replace(config, net=replace(config.net, max_epochs=1), tuning=replace(config.tuning, max_epochs=1))
    run_id = str(train(store, short)["run_id"])
    assert score(store, run_id, explain=False)["scored"] > 100
    assert evaluate(store, run_id)["metrics"]["auroc"]["n"] > 20
    return run_id


@pytest.mark.parametrize("fusion", RIVALS)
@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_on_a_rivals_run(
    rival_home: tuple[Path, dict[str, str]], page: str, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, runs = rival_home
    query = {"run": runs[fusion]}
    if page == "case":
        store = open_store(f"sqlite:///{home / 'cohort.db'}")
        predicted = read_results.predictions(store, runs[fusion], "test")
        store.close()
        query["stay"] = str(predicted.loc[predicted["path"] == "both", "stay_id"].iloc[0])
    opened = open_page(page, home, monkeypatch, **query)
    assert not opened.exception, [error.value for error in opened.exception]
    words = said(opened)
    if page == "levels" and fusion != "lemof_m1":
        assert f"A run of {fusion} chooses no levels" in words
    if page == "case" and fusion == "boosted":
        assert "No gradient runs through boosted trees" in words
