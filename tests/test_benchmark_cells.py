"""Cells of the tables and what is made of their outcomes, none of them measured: grids, commands, differences."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from lemof_core.benchmark.cells import (
    ENCODERS,
    FLOOR,
    LADDER,
    VARIANTS,
    Cell,
    table_cells,
    table_commands,
    whole_cells,
)
from lemof_core.benchmark.measure import Outcome
from lemof_core.benchmark.tables import cost_rows, difference_rows, result_rows
from lemof_core.config import preset
from lemof_core.encoders import ECG_ENCODERS, EHR_ENCODERS
from lemof_core.fitting.fit import FUSIONS
from lemof_core.jobs import benchmark as job
from lemof_core.jobs.benchmark_files import DIFFERENCE
from lemof_core.jobs.benchmark_markdown import markdown

PAIR = [("resnet", "baseline")]


def test_table_one_is_the_papers_grid_and_every_name_is_registered() -> None:
    found = table_cells("table1", arms=["frozen", "finetuned"], fitting="oof5", seeds=[0])
    assert set(ENCODERS["ecg"]) == set(ECG_ENCODERS) and set(ENCODERS["ehr"]) == set(EHR_ENCODERS)
    assert len({(cell.ecg_encoder, cell.ehr_encoder) for cell in found}) == 20
    for fusion in ("daft", "medfuse", "drfuse", "hyperfusion", "lemof"):
        for arm in ("frozen", "finetuned"):
            mine = [c for c in found if (c.fusion, c.arm) == (fusion, arm) and c.variant in ("", "robust")]
            assert len(mine) == 20, (fusion, arm)
    assert {cell.arm for cell in found if cell.fusion == "mmtm"} == {"finetuned"}
    assert {cell.fusion for cell in found} <= set(FUSIONS)
    assert len(set(found)) == len(found)
    stages = [cell.stage() for cell in found]
    assert stages == sorted(stages), "cells of one Stage 1 stand together"


@pytest.mark.parametrize("table", [*job.TABLES, "sensitivity"])
def test_every_table_has_a_logistic_regression_and_the_commoner_class_beside_every_model(table: str) -> None:
    how: dict[str, Any] = {"arms": ["frozen", "finetuned"], "fitting": "oof5", "seeds": [0, 3]}
    found = table_cells(table, **how)
    settings = {(cell.ecg_encoder, cell.ehr_encoder, cell.fitting, cell.seed) for cell in found}
    assert {cell.seed for cell in found} == {0, 3} and FLOOR == ("late_logistic", "majority")
    for ecg, ehr, fitting, seed in settings:
        for fusion in FLOOR:
            assert Cell(ecg, ehr, fusion, "", "", fitting, seed) in found, (fusion, ecg, ehr, fitting, seed)


def known_of(table: str, **how: Any) -> set[Cell]:
    return set(table_cells(table, **({"arms": ["frozen"], "fitting": "oof5", "seeds": [0], "pairs": PAIR} | how)))


def test_no_table_takes_in_what_another_left_behind() -> None:
    every = {"pairs": None, "arms": ["frozen", "finetuned"]}
    known = known_of("table1", **every) | known_of("leak") | known_of("ablation", pairs=[("lstm", "tpc")])
    known |= known_of("table1", seeds=[4]) - {Cell("resnet", "baseline", "drfuse", "", "frozen", "oof5", 4)}
    assert set(whole_cells("ablation", known)) == known_of("ablation", pairs=[("lstm", "tpc")])
    assert set(whole_cells("leak", known)) == known_of("leak")
    assert whole_cells("table2", known) == sorted(known_of("table2", pairs=[("lstm", "tpc")]))
    assert set(whole_cells("table1", known)) == known_of("table1", **every), "a part that lacks a cell waits for it"


def test_the_commands_of_a_table_measure_its_cells() -> None:
    one = known_of("table1", pairs=None, arms=["frozen", "finetuned"])
    assert table_commands("table1", one) == [
        "lemof benchmark table1 --fitting oof5 --arm frozen --arm finetuned --seed 0"
    ]
    more = one | known_of("table1", seeds=[0, 1, 2], fitting="holdout") | known_of("table1", seeds=[3])
    assert table_commands("table1", more) == [
        "lemof benchmark table1 --fitting holdout --arm frozen --seed 0 --seed 1 --seed 2 --pair resnet+baseline",
        *table_commands("table1", {cell for cell in one if cell.arm == "finetuned"}),
        *table_commands("table1", {cell for cell in more if cell.arm == "frozen" and cell.fitting == "oof5"}),
    ]
    assert table_commands("leak", known_of("leak", pairs=None)) == ["lemof benchmark leak --arm frozen --seed 0"]


def test_the_ladder_leads_from_one_preset_to_the_other_a_step_a_row() -> None:
    assert LADDER["paper"] == preset("paper") and LADDER["robust"] == preset("robust")
    steps = list(LADDER.values())
    for before, after in pairwise(steps):
        changed = {name for name, value in before.to_json().items() if after.to_json()[name] != value}
        assert changed and (after.preset == "robust" or len(changed) == 1), changed
    assert len({str(config.to_json()) for config in VARIANTS.values()}) == len(VARIANTS)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_cell_is_fitted_with_all_that_its_variant_says_and_shares_stage_1_with_none_that_trains_another(
    name: str,
) -> None:
    cell, base = Cell("lstm", "baseline", "lemof", name), VARIANTS[name]
    named = {"ecg_encoder": "lstm", "ehr_encoder": "baseline", "fusion": "lemof"}
    found = cell.config()
    decision = replace(base.decision, n_bootstrap=0)
    assert found == replace(base, **named, decision=decision, ehr_training=replace(base.ehr_training, lr=1e-3))
    for other in VARIANTS:
        theirs = Cell("lstm", "baseline", "lemof", other)
        if theirs.stage() == cell.stage():
            for part in ("ecg_training", "ehr_training", "ecg_sizes", "ehr_sizes", "own_transform", "pooling"):
                assert getattr(theirs.config(), part) == getattr(found, part)


def test_a_rival_is_given_what_lemof_robust_has() -> None:
    rival, lemof = (
        Cell("wavenet", "tpc", name, variant).config() for name, variant in (("daft", ""), ("lemof", "robust"))
    )
    assert replace(rival, fusion="lemof") == lemof
    assert (
        rival.net.raw_view
        and Cell("wavenet", "tpc", "daft").stage() == Cell("wavenet", "tpc", "lemof", "robust").stage()
    )


def outcome(logit: np.ndarray, cut: float = 0.5) -> Outcome:
    return Outcome(logit, np.full(len(logit), cut), 1.0, 10, 2.0)


def test_differences_are_lemofs_less_the_others_on_the_same_patients() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300).astype(float)
    good, poor = y + rng.normal(size=300), rng.normal(size=300)
    lemof = Cell("resnet", "tpc", "lemof", "robust", "frozen")
    daft, other_pair = Cell("resnet", "tpc", "daft", "", "frozen"), Cell("lstm", "tpc", "daft", "", "frozen")
    late, tuned = Cell("resnet", "tpc", "late", "", ""), Cell("resnet", "tpc", "daft", "", "finetuned")
    outcomes = {
        lemof: outcome(good),
        daft: outcome(poor),
        other_pair: outcome(poor),
        late: outcome(good),
        tuned: outcome(poor),
    }
    strata = {"all": np.ones(300, dtype=bool), "few": np.arange(300) < 3}
    rows = pd.DataFrame(difference_rows(outcomes, y, np.arange(300), strata))
    assert set(rows["fusion"]) == {"daft", "late"} and set(rows["arm"]) == {"frozen", ""}, "each with LeMoF beside it"
    assert set(rows["stratum"]) == {"all"}, "three patients tell nothing"
    by = rows.set_index(["fusion", "metric"])
    expected = roc_auc_score(y, good) - roc_auc_score(y, poor)
    assert by.loc[("daft", "auroc"), "value"] == pytest.approx(expected) and expected > 0.1
    assert by.loc[("late", "auroc"), ["value", "lo", "hi"]].tolist() == [0, 0, 0]
    right = ((1 / (1 + np.exp(-good))) >= 0.5) == (y == 1)
    wrong = ((1 / (1 + np.exp(-poor))) >= 0.5) == (y == 1)
    assert by.loc[("daft", "acc_50"), "value"] == pytest.approx(right.mean() - wrong.mean())


def test_a_result_is_a_row_a_metric_and_a_cut_that_is_not_there_gives_none() -> None:
    y = np.arange(40) % 2.0
    rows = pd.DataFrame(
        result_rows(
            Cell("a", "b", "late"), outcome(y, float("nan")), y, np.arange(40), {"all": np.ones(40, dtype=bool)}
        )
    ).set_index("metric")
    assert rows.loc["auroc", "value"] == 1 and rows.loc["auroc", ["n", "events"]].tolist() == [40, 20]
    assert pd.isna(rows.loc["acc_tuned", "value"]) and rows.loc["acc_50", "value"] == 0.5
    assert "cal_slope" in rows.index and "cal_intercept" not in rows.index


def test_what_the_data_are_stands_before_the_numbers() -> None:
    y = np.arange(40) % 2.0
    cell, one = Cell("a", "b", "late"), outcome(y)
    rows = result_rows(cell, one, y, np.arange(40), {"all": np.ones(40, dtype=bool)})
    about = {"command": "c", "n_by_split": {"test": {"n": 40}}, "synthetic": False, "surrogate_ecg": True}
    text = markdown(pd.DataFrame(rows), pd.DataFrame(columns=DIFFERENCE), cost_rows({cell: one}), about)
    assert text.splitlines()[1].startswith("**Surrogate ECGs") and text.index("Surrogate") < text.index("| AUROC |")
    assert "Mean rank" not in text and "minus" not in text, "nothing is ranked, and nothing held against LeMoF"


def test_groups_of_one_ecg_encoder_share_a_process_until_there_are_too_few() -> None:
    def groups(*names: str) -> list[list[Cell]]:
        return [[Cell(*name.split("+"), "late", "", "")] for name in names]

    shared = job._shares(groups("lstm+tpc", "lstm+tabnet", "resnet+tpc"), 2)
    assert [[one[0].ehr_encoder for one in some] for some in shared] == [["tpc", "tabnet"], ["tpc"]]
    split = job._shares(groups("lstm+tpc", "lstm+tabnet", "lstm+baseline"), 2)
    assert sorted(len(some) for some in split) == [1, 2]
    assert len(job._shares(groups("lstm+tpc"), 4)) == 1


def test_results_are_read_as_means_over_seeds() -> None:
    y, everybody = np.arange(40) % 2.0, {"all": np.ones(40, dtype=bool)}
    cells = {Cell("a", "b", "late", seed=seed): replace(outcome(y), seconds=float(seed)) for seed in (0, 1, 4)}
    rows = [row for cell, one in cells.items() for row in result_rows(cell, one, y, np.arange(40), everybody)]
    about = {"command": "c", "n_by_split": {"test": {"n": 40}}, "synthetic": True, "surrogate_ecg": False}
    text = markdown(pd.DataFrame(rows), pd.DataFrame(columns=DIFFERENCE), cost_rows(cells), about)
    results, costs = text.split("## Cost")
    assert results.count("| late |") == 1 and "| 0, 1, 4 |" in results
    assert "| 0, 1, 4 | 1.66667 |" in costs
