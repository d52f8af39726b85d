"""The made-up cohort comes in; a store whose every stay is a test patient goes out, for the tests of /performance."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pages_support import RUN, PagesStores, score_all

from cohort_db.store import open_store
from lemof_core.evaluation.confusion import Confusion
from lemof_core.jobs.evaluate import evaluate


@pytest.fixture(scope="session")
def all_test(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where the run has predicted everybody as a test patient and is evaluated: groups are large enough."""
    home = tmp_path_factory.mktemp("performance") / "home"
    shutil.copytree(pages_stores.home["not scored"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    score_all(store, split="test")
    evaluate(store, RUN)
    store.close()
    return home


def cost_per_100(at: Confusion, ratio: float) -> float:
    """ratio * misses + false alarms, per 100 stays: counted from the matrix, apart from the code under test."""
    return 100 * (ratio * at.miss + at.false) / at.n
