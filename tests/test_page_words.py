"""The hours that are predicted, and what each split taught a run, stand on the pages as store and run have them."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from core_support import made_up_cohort, parts
from mimic_support import write_tables
from pages_support import (
    PAGES,
    RUN,
    PagesStores,
    add_pages_run,
    made_up_mimic,
    open_page,
    pages_stores,
    said,
    score_all,
)
from streamlit.testing.v1 import AppTest

from cohort_db.cohort import CohortRules
from cohort_db.ingest import ingest
from cohort_db.store import open_store
from dashboard.split_use import in_sample, uses
from lemof_core.config import preset
from lemof_core.fitting.folds import make_folds
from lemof_core.jobs.evaluate import evaluate

__all__ = ["pages_stores"]


def sent(app: AppTest) -> str:
    """Everything that the page sends to the browser, labels, options and column heads too."""
    parts = [str(one.proto) for part in (app.main, app.sidebar) for one in part]
    return "\n".join([*parts, *(str(list(one.value.columns)) for one in app.dataframe)])


@pytest.fixture(scope="module")
def five_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store whose cohort is predicted at 48 h, for a stay of more than five days."""
    home = tmp_path_factory.mktemp("five-days")
    store = open_store(f"sqlite:///{home / 'cohort.db'}", create=True)
    ingest(store, write_tables(home / "mimic", made_up_mimic()), rules=CohortRules(t0_hours=48, cut_days=5))
    add_pages_run(store, t0_hours=48.0, cut_hours=120.0)
    score_all(store)
    evaluate(store, RUN)
    store.close()
    return home


@pytest.mark.parametrize("name", [*PAGES, "methods", "errors"])
def test_every_page_names_the_hours_of_the_store_and_no_others(
    name: str, five_days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page(name, five_days, monkeypatch)
    assert [one.value for one in app.exception] == []
    words = sent(app)
    assert "120 h" in words and "48 h" in words
    assert re.findall(r"\b(?:72|24) ?h", words) == []


def test_the_cohort_is_filtered_by_the_words_of_its_own_cut(five_days: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"sqlite:///{five_days / 'cohort.db'}")
    with store.reading() as conn:
        died = conn.exec_driver_sql("SELECT count(*) FROM sample WHERE died_before_cut").scalar()
    app = open_page("cohort", five_days, monkeypatch, outcome="Died in ICU before 120 h")
    assert f"<b>{died}</b> of" in said(app)
    assert "At 120 h" in app.dataframe[0].value


def test_a_store_that_does_not_say_what_it_predicts_asks_for_an_ingest(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "older"
    shutil.copytree(pages_stores.home["full"], home)
    with open_store(f"sqlite:///{home / 'cohort.db'}").writing() as conn:
        conn.exec_driver_sql("DELETE FROM task")
    for name in ("overview", "cohort", "performance", "methods"):
        app = open_page(name, home, monkeypatch)
        assert [one.value for one in app.exception] == []
        assert "lemof ingest" in said(app)
        assert "72 h" not in said(app).replace("Still in ICU after 72 h, predicted at 24 h", "")


@pytest.mark.parametrize("fitting", ["oof5", "holdout", "naive"])
def test_what_a_split_taught_is_said_of_the_fitting_of_the_run(
    fitting: str, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / fitting
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    counts = {part: {"n": 20, "events": 10, "ecg": 15} for part in ("train", "val", "meta", "cal", "test")}
    add_pages_run(store, fitting=fitting, n_by_split=counts)
    score_all(store)
    store.close()
    card = said(open_page("model_card", home, monkeypatch))
    for split, use in uses(fitting).items():
        assert f"{split}</th>" in card and use in card
    for split in ("train", "val", "meta", "cal"):
        text = said(open_page("levels", home, monkeypatch, part=split))
        taught = in_sample(fitting, split)
        assert ("In-sample" in text) == (taught is not None)
        assert taught is None or taught in text


def test_words_of_a_fitting_agree_with_what_its_folds_learn() -> None:
    # By the folds themselves: which splits' rows the networks learn from, and which the stack.
    splits, arrays = parts(), made_up_cohort()
    for fitting in ("oof5", "holdout", "naive"):
        folds = make_folds(arrays, splits, replace(preset("robust"), fitting=fitting))
        for split in ("train", "meta"):
            networks, stack = (
                any(np.isin(splits[split], getattr(fold, part)).any() for fold in folds) for part in ("learn", "held")
            )
            use = uses(fitting)[split]
            assert (("encoders" in use), ("k*" in use)) == (networks, stack), (fitting, split)
            assert (in_sample(fitting, split) is not None) == (networks or stack)


def test_groups_without_a_number_are_counted_without_the_row_of_everybody(
    five_days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four long stays in test are too few for any AUROC, so all groups have none, and no more than all.
    text = said(open_page("performance", five_days, monkeypatch))
    found = re.search(r"AUROC by disease group; (\d+) of (\d+) groups suppressed or not estimable", text)
    assert found is not None and found[1] == found[2]


def test_module_2s_levels_by_rule_have_no_frequency(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "paper"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    add_pages_run(store, config={"level_choice": "k_star"})
    score_all(store)
    store.close()
    assert "those of k*, as in the paper" in said(open_page("model_card", home, monkeypatch))
    app = open_page("levels", home, monkeypatch)
    assert "M2 in" not in app.dataframe[0].value, "nothing was tried, so there is no share to show"
    assert "reads levels by rule: those of k*" in said(app)
    assert "Nothing holds the weights" in said(app)
    assert "No weight of 12 is negative**" in said(app), "what nothing holds is not said to be held"
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    held = {"nonnegative": True, "penalties": [0.0]}
    add_pages_run(store, "run-fixed", config={"level_choice": "fixed", "decision": held, "settings": {"x": "1"}})
    score_all(store, "run-fixed")
    store.close()
    assert "levels 3 and 3, as was set" in said(open_page("model_card", home, monkeypatch, run="run-fixed"))
    app = open_page("levels", home, monkeypatch, run="run-fixed")
    assert "reads levels by rule: levels 3 and 3" in said(app)
    assert "The weights are kept at zero or above for the same reason." in said(app)
    assert "changed by hand" in said(app)
    tried = open_page("levels", pages_stores.home["full"], monkeypatch)
    assert "bootstrap draws of the meta patients" in said(tried)
