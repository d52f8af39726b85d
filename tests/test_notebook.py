"""The example notebook: it runs on another store, gives that store's numbers, and its committed outputs are whole."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from pages_support import RUN, PagesStores, pages_stores

from cohort_db import read_results

__all__ = ["pages_stores"]
ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "assets" / "notebooks" / "where_it_fails.ipynb"
TOLD = "__import__('json').dumps([[one.name, one.value, one.lo, one.hi, one.n, one.events] for one in found])"


@pytest.fixture
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def outputs(notebook: Any) -> list[Any]:
    return [one for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs]


def test_it_runs_on_any_store_and_says_what_evaluate_stored(
    notebook: Any, pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LEMOF_HOME", str(pages_stores.home["full"]))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook.cells.append(nbformat.v4.new_code_cell(f"print({TOLD})"))
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    told = {row[0]: row[1:] for row in json.loads(notebook.cells[-1].outputs[0].text)}
    store = pages_stores.store("full")
    found = read_results.metrics(store, RUN, "test")
    overall = found[(found["source"] == "final") & (found["stratum_kind"] == "all") & (found["deaths"] == "with")]
    assert set(told) == set(overall["name"])
    for row in overall.itertuples():
        stored = [None if value != value else value for value in (row.value, row.lo, row.hi)]
        assert told[row.name] == pytest.approx([*stored, row.n, row.events])
    assert RUN in outputs(notebook)[0].text
    store.close()


def test_its_committed_outputs_are_there_small_and_of_no_machine(notebook: Any) -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text.encode()) < 300_000
    assert not re.search(r"/(home|root|tmp|work|usr)/|\bat 0x[0-9a-f]+", text)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1)), "run from top to bottom, once"
    kinds = [kind for one in outputs(notebook) for kind in one.get("data", {})]
    assert kinds.count("image/svg+xml") == 2 and not [one for one in outputs(notebook) if one.output_type == "error"]


def test_it_asks_for_no_streamlit(notebook: Any) -> None:
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert "streamlit" not in source and "dashboard.pages" not in source
