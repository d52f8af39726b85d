"""The made-up cohort of the pages comes in; a store whose run is wrong about one group of stays goes out."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from pages_support import RUN, PagesStores, add_pages_run, score_all

from cohort_db.store import open_store
from lemof_core.jobs.evaluate import evaluate

PLANTED = ("sex:F", "unit:CCU")
_OF_GROUP = (
    "SELECT sample_id FROM sample JOIN stay USING (stay_id) JOIN subject ON subject.subject_id = stay.subject_id "
    "WHERE sex = 'F' AND first_careunit LIKE '%(CCU)'"
)


@pytest.fixture(scope="session")
def errors_home(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store whose samples are all of the test split: the run is surely wrong about women in the CCU, and
    sides with the outcome elsewhere. Tests read it and change nothing."""
    home = tmp_path_factory.mktemp("errors") / "home"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    add_pages_run(store)
    score_all(store, split="test")
    store.close()
    with sqlite3.connect(home / "cohort.db") as database:
        wrong = "(SELECT CASE label WHEN 1 THEN -3.0 ELSE 3.0 END FROM sample WHERE sample_id = prediction.sample_id)"
        database.execute(
            f"UPDATE prediction SET logit = {wrong} WHERE run_id = ? AND sample_id IN ({_OF_GROUP})", (RUN,)
        )
        database.execute("UPDATE prediction SET p = 1 / (1 + exp(-logit)), p_lo = 0, p_hi = 1 WHERE run_id = ?", (RUN,))
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    evaluate(store, RUN)
    store.close()
    return home
