"""Folders of `lemof benchmark` at every state: read as written, absent, unfinished, damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from methods_support import EVENTS, PAIRS, N, result, write_benchmark, write_table

from cohort_db.errors import InputMistake
from dashboard.measured import SHIPPED, TABLES, read_measured, signature


def test_a_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    rows = [result(0.71, "auroc", ecg_encoder="lstm", ehr_encoder="tpc", variant="paper + residual", seed=3)]
    rows.append(result(None, "auroc", fusion="majority", fitting="", stratum="sepsis", n=8, events=1))
    found = read_measured(write_table(tmp_path / "table1", rows))
    assert found is not None
    first, second = found.results.to_dict("records")
    assert (first["value"], first["lo"], first["hi"]) == pytest.approx((0.71, 0.70, 0.72))
    assert (first["ecg_encoder"], first["variant"], first["seed"], first["n"]) == ("lstm", "paper + residual", 3, N)
    assert second["value"] != second["value"], "an empty value is not estimable"
    assert (second["ecg_encoder"], second["arm"], second["fitting"], second["events"]) == ("", "", "", 1)
    assert (found.about.p_x, found.about.practical_limit, found.about.synthetic) == (0.835, 0.779, True)
    assert found.about.n_by_split["test"] == N


def test_an_absent_folder_and_one_without_results_are_no_mistake(tmp_path: Path) -> None:
    assert read_measured(tmp_path / "table1") is None
    (tmp_path / "leak").mkdir()
    assert read_measured(tmp_path / "leak") is None


def test_what_is_not_measured_yet_has_no_rows_but_its_columns(tmp_path: Path) -> None:
    found = read_measured(write_table(tmp_path / "table1", [result(0.7, "auroc")]))
    assert found is not None
    assert (len(found.results), len(found.differences), len(found.cells)) == (1, 0, 0)
    assert {"against", "stratum", "value"} <= set(found.differences)
    assert {"seconds", "n_parameters", "epochs"} <= set(found.cells)


def test_real_patients_have_no_truth_and_counts_may_be_those_of_a_run(tmp_path: Path) -> None:
    counts = {"train": {"n": 20, "events": 9, "ecg": 15}, "test": {"n": 12, "events": 6, "ecg": 9}}
    known = {"synthetic": False, "p_x_auroc": None, "practical_limit_auroc": None, "n_by_split": counts}
    found = read_measured(write_table(tmp_path / "table1", [result(0.7, "auroc")], **known))
    assert found is not None
    assert (found.about.p_x, found.about.practical_limit, found.about.synthetic) == (None, None, False)
    assert found.about.n_by_split == {"train": 20, "test": 12}


DAMAGE = {
    "a number": ("results.csv", lambda text: text.replace("0.71", "good", 1), "line 2: 'good' is no value"),
    "no finite number": ("results.csv", lambda text: text.replace("0.71", "inf", 1), "'inf' is no value"),
    "a count": ("results.csv", lambda text: text.replace(str(EVENTS), "1.5", 1), "no whole number"),
    "a seed": ("results.csv", lambda text: text.replace(",0,all", ",,all", 1), "no whole number"),
    "a column": ("results.csv", lambda text: text.replace("fusion", "fused", 1), "lacks the columns fusion"),
    "a row twice": ("results.csv", lambda text: text + text.splitlines()[-1] + "\n", "two rows of the same key"),
    "nothing in it": ("results.csv", lambda text: "", "no table that can be read"),
    "half a file": ("about.json", lambda text: text[: len(text) // 2], "cannot be read"),
    "no command": ("about.json", lambda text: text.replace('"command"', '"order"'), "lacks 'command'"),
    "a list": ("about.json", lambda text: "[1]", "cannot be read"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_named_in_one_sentence(what: str, tmp_path: Path) -> None:
    folder = write_table(tmp_path / "table1", [result(0.71, "auroc"), result(0.65, "acc_50")])
    name, damage, said = DAMAGE[what]
    text = (folder / name).read_text(encoding="utf-8")
    assert damage(text) != text
    (folder / name).write_text(damage(text), encoding="utf-8")
    with pytest.raises(InputMistake) as mistake:
        read_measured(folder)
    assert f"table1/{name}" in str(mistake.value) and said in str(mistake.value)
    assert "\n" not in str(mistake.value).strip()


def test_numbers_without_their_source_are_refused(tmp_path: Path) -> None:
    folder = write_table(tmp_path / "table1", [result(0.71, "auroc")])
    (folder / "about.json").unlink()
    with pytest.raises(InputMistake, match=r"table1/about\.json is missing"):
        read_measured(folder)


def test_the_signature_changes_with_any_file(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path, PAIRS[:1]) / "table1"
    before = signature(folder)
    assert len(before) == 4
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    (folder / "about.json").write_text(json.dumps(about | {"command": "another one"}), encoding="utf-8")
    assert signature(folder) != before


@pytest.mark.parametrize("table", TABLES)
def test_what_ships_can_be_read(table: str) -> None:
    found = read_measured(SHIPPED / table)
    assert found is None or (len(found.results) > 0 and found.about.command.startswith("lemof benchmark"))
