"""/methods with a measured grid, with one pair, with none, with damaged files; whose numbers they are stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from methods_support import PAIRS, RIVALS, result, write_benchmark, write_table
from pages_support import PagesStores, open_page, pages_stores, said
from streamlit.testing.v1 import AppTest

from dashboard import published
from dashboard.measured import read_measured
from lemof_core.benchmark.over_seeds import over_seeds

__all__ = ["pages_stores"]


@pytest.fixture(scope="module")
def home(pages_stores: PagesStores, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store that holds no benchmark; tests read it and change nothing."""
    folder = tmp_path_factory.mktemp("methods") / "home"
    shutil.copytree(pages_stores.home["no run"], folder)
    return folder


@pytest.fixture(scope="module")
def measured_home(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a store with all six tables over all pairs, two seeds of each."""
    folder = tmp_path_factory.mktemp("measured") / "home"
    shutil.copytree(home, folder)
    write_benchmark(folder / "benchmark", seeds=(0, 1))
    return folder


@pytest.fixture
def own_home_of(home: Path, tmp_path: Path) -> Path:
    """A copy of the home without a benchmark, to be changed."""
    shutil.copytree(home, tmp_path / "own")
    return tmp_path / "own"


def opened(home: Path, monkeypatch: pytest.MonkeyPatch, **query: str) -> tuple[AppTest, str]:
    """The page, without an exception, and its words."""
    app = open_page("methods", home, monkeypatch, **query)
    assert [one.value for one in app.exception] == []
    assert app.title[0].value == "Methods"
    return app, said(app)


def means_of(results: pd.DataFrame, fusion: str, arm: str = "frozen", metric: str = "auroc") -> float:
    """The mean over pairs of the mean over seeds, by plain pandas."""
    some = results[(results["fusion"] == fusion) & (results["arm"] == arm) & (results["metric"] == metric)]
    some = some[some["variant"].isin(["", "robust"])]
    return float(some.groupby(["ecg_encoder", "ehr_encoder"])["value"].mean().mean())


def test_without_a_benchmark_the_printed_tables_stand_with_the_command(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = opened(home, monkeypatch)
    assert "lemof benchmark table1" in text
    assert "0 of 20 pairs measured" in text and "0 of 10 diseases measured" in text
    assert "mean rank is 2.00 of 6 as printed (AUROC)" in text
    assert "0.658" in text, "the printed mean of LeMoF"
    assert published.citation() in text
    assert "provenance" not in text, "no number was measured, so none has a source"
    assert "grid-banner" not in text


def test_the_measured_grid_stands_beside_the_printed_one(measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app, text = opened(measured_home, monkeypatch)
    found = read_measured(measured_home / "benchmark" / "table1")
    assert found is not None
    for fusion in ("lemof", "daft", "hyperfusion", "level_mean"):
        assert f">{means_of(found.results, fusion):.3f}<" in text, fusion
    assert "20 of 20 pairs measured" in text
    assert "Mean over 2 seeds (0, 1). n = 10,000, 4,259 long" in text
    assert "grid-banner" in text and "synthetic patients" in text
    assert "practical limit" in text and "This store's own" in text
    assert "lemof benchmark table1, 2026-11-20 08:00 UTC, code 0.1.0" in text
    numbers = app.dataframe[0].value
    # 20 pairs by LeMoF, its other preset and the rivals, two seeds being one number; and the majority row.
    assert len(numbers) == 20 * (2 + len(RIVALS)) + 1
    by_seeds = numbers.groupby("Seeds").size().to_dict()
    assert by_seeds == {"0, 1": len(numbers) - 1, "0": 1}
    assert "Always the commoner" in text
    assert "Not measured here" not in text


def test_arm_preset_and_metric_choose_what_is_shown(measured_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read_measured(measured_home / "benchmark" / "table1")
    assert found is not None
    _, text = opened(measured_home, monkeypatch, arm="encoders fine-tuned", score="ACC tuned")
    assert f">{means_of(found.results, 'daft', 'finetuned', 'acc_tuned'):.3f}<" in text
    assert "encoders fine-tuned" in text and "1.00 of 6 as printed (ACC tuned)" in text
    assert "practical limit" not in text, "the limits are AUROCs"
    _, text = opened(measured_home, monkeypatch, preset="paper")
    assert "LeMoF robust" in text, "the other preset stands beside it, unranked"
    _, text = opened(measured_home, monkeypatch, arm="nonsense", score="nonsense")
    assert "20 of 20 pairs measured" in text


def test_differences_count_the_pairs_in_which_lemof_is_clearly_ahead(
    measured_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_measured(measured_home / "benchmark" / "table1")
    assert found is not None
    rows = found.differences
    rows = rows[(rows["arm"] == "frozen") & (rows["metric"] == "auroc") & (rows["variant"] == "")]
    rows = rows[~rows["fusion"].isin(["ecg_only", "ehr_only", "boosted", "majority"])]  # they fuse nothing
    by = ["ecg_encoder", "ehr_encoder", "fusion"]
    bounds = over_seeds(rows, by)
    clear, behind = int((bounds["lo"] > 0).sum()), int((bounds["hi"] < 0).sum())
    _, text = opened(measured_home, monkeypatch)
    counted = f"clearly ahead in {clear} and clearly behind in {behind} of {len(bounds)} paired comparisons"
    assert f"{counted} with rivals that read both modalities" in text
    assert 0 < clear < len(bounds)


def test_diseases_ablation_sensitivity_leak_and_cost_are_shown(
    measured_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = opened(measured_home, monkeypatch, disease_score="ACC at 0.5")
    # Lung cancer is not estimable in the made-up numbers.
    assert "9 of 10 diseases measured" in text and "Kidney failure: 0.665 is printed" in text
    for title in ("What each step", "Other landmarks and cuts", "leaking stack", "What each method costs"):
        assert title in text
    assert "At 24 h, cut 120 h" in text
    _, text = opened(measured_home, monkeypatch, disease_score="Macro-F1 at 0.5")
    assert "(Macro-F1 at 0.5)" in text and "1.75 of 5 as printed" not in text, "printed: of the nine measured"


def test_one_pair_alone_is_said_to_be_one(own_home_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(own_home_of / "benchmark", PAIRS[11:12], extras=False)
    _, text = opened(own_home_of, monkeypatch)
    assert "1 of 20 pairs measured" in text and "over the one with a number" in text
    assert "One seed (0)" in text
    assert "0 of 10 diseases measured" in text
    assert "Not measured here: table2, table3, ablation, sensitivity, leak" in text
    assert "lemof benchmark leak" in text
    printed = published.table1()
    row = printed[(printed["ecg_encoder"] == PAIRS[11][0]) & (printed["ehr_encoder"] == PAIRS[11][1])]
    for value in row["auroc"]:
        assert f">{value:.3f}<" in text, "printed: of the same pair"


def test_an_arm_offers_the_fittings_it_was_measured_by_and_surrogate_ecgs_are_said(
    own_home_of: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"ecg_encoder": "resnet", "ehr_encoder": "tpc", "fusion": "lemof", "variant": "robust"}
    rows = [
        result(value, "auroc", arm=arm, fitting=fitting, **key)
        for value, arm, fitting in (
            (0.711, "frozen", "oof5"),
            (0.702, "frozen", "holdout"),
            (0.713, "finetuned", "holdout"),
        )
    ]
    rows.append(result(0.654, "auroc", arm="frozen", **key | {"variant": "paper"}))
    write_table(own_home_of / "benchmark" / "table1", rows, surrogate_ecg=True, not_estimable=["ecg path: n = 0"])
    app, text = opened(own_home_of, monkeypatch)
    assert [one.label for one in app.button_group][:4] == ["Arm", "Fitting", "In LeMoF's place", "Metric"]
    assert ">0.711<" in text and "fitting oof5" in text and "surrogate ECGs, which are other people's" in text
    assert "Not everything could be fitted here" in text and "ecg path: n = 0" in text
    app, text = opened(own_home_of, monkeypatch, arm="encoders fine-tuned")
    assert [one.label for one in app.button_group][:2] == ["Arm", "Metric"], (
        "one fitting, one preset: nothing to choose"
    )
    assert ">0.713<" in text and "fitting holdout" in text


def test_diseases_are_of_one_pair_though_several_were_measured(
    own_home_of: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = {"ecg_encoder": "wavenet", "ehr_encoder": "ft_transformer"}
    other = {"ecg_encoder": "lstm", "ehr_encoder": "tpc"}
    rows = [
        result(value, "auroc", fusion=fusion, stratum="sepsis", **pair)
        for pair, shift in ((other, 0.1), (papers, 0.0))
        for fusion, value in (("lemof", 0.71 + shift), ("ehr_only", 0.69 + shift))
    ]
    rows.append(result(0.61, "auroc", fusion="ecg_only", stratum="sepsis", ecg_encoder="wavenet"))
    write_table(own_home_of / "benchmark" / "table2", rows)
    _, text = opened(own_home_of, monkeypatch)
    assert "1 of 10 diseases measured" in text and "Encoders: WaveNet + FT-Transformer." in text
    assert ">0.710<" in text and ">0.810<" not in text and ">0.610<" in text
    assert "3 of 5 methods of the paper are measured, and rank among themselves" in text
    write_table(own_home_of / "benchmark" / "table2", rows[:2])
    assert "as printed, measured with LSTM + TPC" in opened(own_home_of, monkeypatch)[1]


def test_a_grid_without_any_estimable_number_says_so(own_home_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = {"ecg_encoder": "lstm", "ehr_encoder": "tpc", "n": 12, "events": 2}
    rows = [result(None, "auroc", fusion=fusion, **pair) for fusion in ("lemof", "daft")]
    for name in ("table1", "ablation"):
        write_table(own_home_of / "benchmark" / name, rows)
    _, text = opened(own_home_of, monkeypatch)
    assert "0 of 20 pairs measured" in text and not re.search(r"\bnan\b", text)
    assert "No paired difference is measured" in text and "What each step" in text


def test_a_damaged_table_is_named_and_the_others_stay(own_home_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(own_home_of / "benchmark", PAIRS[:2])
    (own_home_of / "benchmark" / "ablation" / "about.json").write_text("{", encoding="utf-8")
    app, text = opened(own_home_of, monkeypatch)
    assert ["ablation/about.json" in one.value for one in app.error] == [True]
    assert "2 of 20 pairs measured" in text and "Other landmarks and cuts" in text
    assert "What each step" not in text


def test_the_stores_own_numbers_go_before_those_that_ship(own_home_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(own_home_of / "shipped-benchmark", PAIRS[:3], extras=False)
    _, text = opened(own_home_of, monkeypatch)
    assert "Came with the project" in text and "3 of 20 pairs" in text
    write_benchmark(own_home_of / "benchmark", PAIRS[:4], extras=False)
    _, text = opened(own_home_of, monkeypatch)
    assert "This store's own" in text and "4 of 20 pairs" in text
    _, text = opened(own_home_of, monkeypatch, grid="Came with the project")
    assert "3 of 20 pairs" in text


def test_a_new_file_is_seen_without_a_restart(own_home_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_benchmark(own_home_of / "benchmark", PAIRS[:2], extras=False)
    app, _ = opened(own_home_of, monkeypatch)
    write_benchmark(own_home_of / "benchmark", PAIRS[:5], extras=False)
    assert "5 of 20 pairs measured" in said(app.run())


def test_the_groups_with_and_without_an_ecg_are_neither_diseases_nor_steps(
    measured_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "by-ecg"
    shutil.copytree(measured_home, home)
    _, before = opened(measured_home, monkeypatch)
    for folder in (home / "benchmark").iterdir():
        results = pd.read_csv(folder / "results.csv", dtype=str, keep_default_na=False)
        first = results.drop_duplicates(
            [name for name in results if name not in ("stratum", "n", "events", "value", "lo", "hi")]
        )
        parts = [first.assign(stratum=name, value="0.123") for name in ("with ECG", "without ECG")]
        pd.concat([results, *parts]).to_csv(folder / "results.csv", index=False)
    assert opened(home, monkeypatch)[1] == before
