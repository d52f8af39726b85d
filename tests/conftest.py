"""What every test gets: one torch thread, a store of its own, and no reach beyond this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from case_support import CaseStore
    from playwright.sync_api import Page

    from cohort_db.store import Store

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Streamlit's AppTest puts its script in the place of __main__, which a spawned process would then run: no pools here.
os.environ["LEMOF_WORKERS"] = "1"
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(Path(__file__).parent))  # the *_support modules


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's store."""
    monkeypatch.setenv("LEMOF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("LEMOF_DB_URL", raising=False)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Every forward pass here runs as the stored ones do."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store with a trained, scored and evaluated run, made once for all workers of a test session."""
    from filelock import FileLock

    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    home = shared / "demo-home"
    home.mkdir(exist_ok=True)
    with FileLock(home / "lock"):
        if not (home / "ready").exists():
            made = subprocess.run(
                [sys.executable, "-m", "demo_support", str(home)],
                env={**os.environ, "LEMOF_WORKERS": "2", "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"},
                capture_output=True,
                text=True,
                timeout=800,
                check=False,
            )
            assert made.returncode == 0, made.stderr
    return home


@pytest.fixture
def demo_store(demo_home: Path) -> Iterator[Store]:
    """The store of `demo_home`; a test must not change it."""
    from cohort_db.store import open_store

    store = open_store(f"sqlite:///{demo_home / 'cohort.db'}")
    yield store
    store.close()


@pytest.fixture(scope="session")
def case_store(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    """A small store with a made-up run, one for all tests: none changes it."""
    from case_support import shared_case_store

    return shared_case_store(tmp_path_factory)


@pytest.fixture
def page() -> Iterator[Page]:
    """A fresh page of Chromium; when its test is over, nothing may have failed on it, nor left this machine."""
    from browser_support import chromium_page

    with chromium_page() as page:
        yield page
        assert page.lemof_failures == []  # type: ignore[attr-defined]
        assert page.lemof_outside_requests == []  # type: ignore[attr-defined]
