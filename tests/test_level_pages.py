"""/levels on made-up stores: groups beside pandas, seeds side by side, signs, and a page for every kind of store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pages_support import (
    LEVELS,
    RUN,
    PagesStores,
    add_pages_run,
    fitted_parts,
    open_page,
    pages_stores,
    said,
    score_all,
)

from cohort_db import read_analysis, read_levels, read_results
from cohort_db.store import open_store
from dashboard.level_groups import finding_by_group, group_rows, group_table, memberships
from dashboard.level_panels import swarm_points
from dashboard.level_seeds import (
    finding_over_seeds,
    same_recipe,
    seed_rows,
    seed_table,
    spread_over_seeds,
    train_commands,
)
from dashboard.level_weights import conditions, inflation_table, sign_finding, sign_of
from dashboard.wording import Definition
from lemof_core.evaluation.group_means import FEWEST, GroupMeans, group_means

__all__ = ["pages_stores"]
DEFINED = Definition(24, 72)
RECIPE = {"ecg_encoder": "resnet", "fitting": "holdout", "fusion": "lemof", "preset": "robust", "seed": 0}


# What the page reads


@pytest.mark.parametrize("scale", read_levels.SCALES)
def test_selection_phi_is_what_the_store_holds_one_row_a_sample(scale: str, pages_stores: PagesStores) -> None:
    store = pages_stores.store("full")
    found = read_levels.selection_phi(store, RUN, "test", scale)
    rows = read_results.level_scores(store, RUN)
    rows = rows.assign(port=rows["modality"] + "_" + rows["level"].astype(str))
    wanted = rows.pivot(index="sample_id", columns="port", values=scale)
    of_test = read_results.predictions(store, RUN, "test")["sample_id"]
    pd.testing.assert_frame_equal(found, wanted.loc[of_test, found.columns], check_names=False)
    assert list(found) == [f"{modality}_{level}" for modality, level in LEVELS]
    assert found["ecg_1"].isna().any() and found["ehr_1"].notna().all(), "some have no ECG"


def test_of_an_unknown_run_there_is_nothing_and_of_an_unknown_scale_a_refusal(pages_stores: PagesStores) -> None:
    store = pages_stores.store("full")
    assert read_levels.selection_phi(store, "no-such-run").empty
    with pytest.raises(ValueError, match="phi_logit, phi_prob"):
        read_levels.selection_phi(store, RUN, "test", "p")


def test_the_swarm_draws_the_same_stays_at_every_level() -> None:
    n = 1_000
    ports = {f"ehr_{k}": np.arange(n) / k for k in (1, 2, 3)}
    frame = pd.DataFrame({"stay_id": np.arange(n)} | ports)
    points = swarm_points(frame, pd.DataFrame(ports), "ehr", "phi_logit")
    stays = [set(points.loc[points["level"] == level, "stay_id"]) for level in (1, 2, 3)]
    assert len(stays[0]) == 400 and stays[0] == stays[1] == stays[2]
    assert {0, n - 1} <= stays[0]
    assert (points["phi_logit"] * points["level"] - points["stay_id"]).abs().max() < 1e-9


# Groups


@pytest.mark.parametrize("by", ["disease", "outcome", "both"])
def test_everybody_is_in_the_groups_that_the_facts_say(by: str, pages_stores: PagesStores) -> None:
    frame = read_analysis.analysed(pages_stores.store("full"), RUN, "train")
    found = memberships(frame, by, DEFINED)
    assert found.columns[0] == "All stays" and found["All stays"].all()
    of = found.drop(columns="All stays")
    if by == "outcome":
        assert (of.sum(1) == 1).all()
        assert of["in ICU after 72 h"].tolist() == (frame["label"] == 1).tolist()
        assert of["died in the ICU before 72 h"].tolist() == frame["died_before_cut"].tolist()
        return
    for name, rows in of.items():
        disease, _, outcome = str(name).partition(": ")
        parts = [str(text).split(", ") for text in frame["diseases"]]
        has = [not any(part) if disease == "none of the groups" else disease in part for part in parts]
        if by == "both":
            long = outcome == "long"
            has = [one and (label == 1) == long for one, label in zip(has, frame["label"], strict=True)]
        assert rows.tolist() == has, name
    assert of.any(axis=1).all() and len(of.columns) >= 4


def test_nobody_has_no_group() -> None:
    nobody = pd.DataFrame({"diseases": pd.Series([], dtype="category"), "label": [], "died_before_cut": []})
    for by in ("disease", "outcome", "both"):
        assert memberships(nobody, by, DEFINED).shape == (0, 1)


def _means(values: list[list[float]], patients: int = 40) -> GroupMeans:
    """Groups with these means: everybody, then each with the same few draws about its mean."""
    value = np.array(values)
    draws = value + np.linspace(-0.01, 0.01, 101)[:, None, None]
    n = np.full(len(value), patients)
    return GroupMeans(value, value - 0.01, value + 0.01, n, n, draws)


def test_what_groups_say_is_counted() -> None:
    means = _means([[1, 2, 3], [1, 2, 3], [3, 2, 1], [1, 1, 3]])
    assert finding_by_group(means, "ecg", "size") == (
        "ECG: level 3 moves G most in 2 of 3 groups, level 1 in 1; clearly ahead in 3"
    )
    means = _means([[1, 2, 3], [0.5, 0.5, 0.5]])
    assert (
        finding_by_group(means, "ehr", "size") == "EHR: level 1 moves G most in all of 1 group; clearly ahead in none"
    )
    means = _means([[0, 0, 0], [0.1, 0.1, 0.1], [-0.1, -0.1, -0.1], [0.1, -0.1, 0.0]])
    assert finding_by_group(means, "ecg", "direction").startswith("ECG: together the levels raise in 1 and lower in 1")
    few = _means([[1, 2, 3], [np.nan] * 3])
    assert finding_by_group(few, "ecg", "size") == f"ECG: no group has {FEWEST} patients"


def test_the_table_and_the_rows_of_groups_say_the_same() -> None:
    means = _means([[0.1, 0.2, 0.3], [np.nan] * 3])
    rows = group_rows(means, ["All stays", "lung cancer"])
    assert rows.loc[rows["first"], ["group", "level"]].to_numpy().tolist() == [["All stays", 3]]
    table = group_table(rows, signs=True).set_index("Group")
    assert table.loc["All stays", "Level 2"] == "+0.200 [0.190–0.210]"
    assert table.loc["lung cancer", "Level 1"] == f"under {FEWEST} patients"


def test_the_page_draws_the_means_of_its_stays(pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch) -> None:
    home, store = pages_stores.home["full"], pages_stores.store("full")
    app = open_page("levels", home, monkeypatch, part="train", phi_by="Outcome", phi_as="Direction: mean φ")
    assert [one.value for one in app.exception] == []
    frame = read_analysis.analysed(store, RUN, "train")
    phi = read_levels.selection_phi(store, RUN, "train").reindex(frame["sample_id"])["ehr_2"].to_numpy()
    long = phi[(frame["label"] == 1).to_numpy()]
    _, row = (line for line in said(app).split("<tr>") if 'class="words">in ICU after 72 h' in line)  # ECG, then EHR
    assert f">{len(long):,}<" in row
    assert f"{long.mean():+.3f}".replace("-", "−") in row
    text = said(app)
    assert "The outcome is known only after 72 h" in text and "coded at discharge" not in text
    assert f"fewer than {FEWEST} patients" in text


# Seeds


def _run(run_id: str, seed: int, **changed: Any) -> dict[str, Any]:
    facts = {"task": "los", "t0_hours": 24, "cut_hours": 72, "synthetic": True, "surrogate_ecg": False}
    counts = {"train": {"n": 20}, "test": {"n": 12}}
    config = RECIPE | {"seed": seed, "settings": {}}
    created = pd.Timestamp("2150-01-01") + pd.Timedelta(days=seed)
    row = facts | {"run_id": run_id, "seed": seed, "config": config, "n_by_split": counts, "shipped": False}
    return row | {"created_at": created} | changed


def test_runs_of_a_recipe_differ_by_the_seed_alone() -> None:
    own = _run("a", 0)
    runs = pd.DataFrame(
        [
            own,
            _run("b", 3),
            _run("c", 1),
            _run("more-tests", 2, n_by_split={"train": {"n": 20}, "test": {"n": 99}}),
            _run("other-patients", 4, n_by_split={"train": {"n": 21}, "test": {"n": 12}}),
            _run("other-cut", 5, cut_hours=48),
            _run("other-fitting", 6, config=RECIPE | {"fitting": "oof5", "settings": {}}),
        ]
    )
    assert same_recipe(runs, own)["run_id"].tolist() == ["a", "c", "more-tests", "b"]
    assert same_recipe(runs.iloc[4:], runs.iloc[4].to_dict())["run_id"].tolist() == ["other-patients"]


def _choices(run_id: str, k: int, phi: list[float]) -> pd.DataFrame:
    frequency = [0.7 if level == k else 0.2 if level == 1 else 0.1 for level in (1, 2, 3)]
    rows = {"level": [0, 1, 2, 3], "mean_abs_phi": [np.nan, *phi], "frequency": [np.nan, *frequency]}
    chosen = [False, *(level == k for level in (1, 2, 3))]
    return pd.DataFrame(rows | {"is_k_star": chosen}).assign(run_id=run_id, modality="ehr")


def test_choices_of_seeds_stand_side_by_side() -> None:
    runs = pd.DataFrame([_run("a", 0), _run("b", 1), _run("c", 2)])
    phi = {"a": [0.1, 0.2, 0.4], "b": [0.1, 0.2, 0.5], "c": [0.1, 0.6, 0.3]}
    choices = pd.concat([_choices("a", 3, phi["a"]), _choices("b", 3, phi["b"]), _choices("c", 2, phi["c"])])
    rows = seed_rows(runs, choices)
    assert finding_over_seeds(rows) == "EHR: k* moves with the seed, level 3 in 2, level 2 in 1 of 3 runs"
    assert finding_over_seeds(rows[rows["run_id"] != "c"]) == "EHR: level 3 is k* in all 2 runs"
    assert finding_over_seeds(rows.head(0)) == ""
    sd = np.array(list(phi.values())).std(0, ddof=1)
    assert f"{sd.min():.3f} to {sd.max():.3f}, median lead of the first level 0.300" in spread_over_seeds(rows)
    table = seed_table(runs, choices).set_index("Seed")
    assert table.loc[2, "EHR: k*"] == "level 2 in 70 %, next 1 (20 %)"
    assert table.loc[0, "EHR: mean |φ| of levels 1 · 2 · 3"] == "0.100 · 0.200 · 0.400"
    assert (table.loc[0, "ECG: k*"], table.loc[0, "ECG: mean |φ| of levels 1 · 2 · 3"]) == ("–", "–")
    assert table.loc[1, "Run"] == "levels?run=b"


def test_the_command_names_the_recipe_so_that_a_shell_reads_it() -> None:
    config = RECIPE | {"settings": {"ecg_sizes.widths": "[16, 32]"}}
    assert train_commands({"config": config}, (7,)) == (
        "lemof train --fusion lemof --preset robust --ecg-encoder resnet --fitting holdout "
        "--set 'ecg_sizes.widths=[16, 32]' --seed 7"
    )


def test_seeds_are_compared_where_there_are_two_and_asked_for_where_there_is_one(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    alone = said(open_page("levels", pages_stores.home["full"], monkeypatch))
    assert "seed 0 alone is stored" in alone and "--seed 1" in alone and "--seed 2" in alone
    home = tmp_path / "seeds"
    shutil.copytree(pages_stores.home["not scored"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    parts = fitted_parts()
    for row in parts["level_choices"]:
        row["is_k_star"] = row["level"] == (2 if row["modality"] == "ecg" else 3)
    add_pages_run(store, "run-seed-1", parts=parts, seed=1, config=_config(store) | {"seed": 1})
    add_pages_run(store, "run-other", seed=2, config=_config(store) | {"seed": 2, "lr": 9.0})
    score_all(store, RUN)
    store.close()
    app = open_page("levels", home, monkeypatch, run=RUN)
    assert [one.value for one in app.exception] == []
    assert "k* moves with the seed, level 2 in 1, level 3 in 1 of 2 runs · EHR: level 3 is k* in all 2 runs" in said(
        app
    )
    (table,) = (one.value for one in app.dataframe if "Seed" in one.value)
    assert table["Seed"].tolist() == [0, 1], "a run of another recipe is none of them"


def _config(store: Any) -> dict[str, Any]:
    return dict(read_results.run(store, RUN)["config"])


# Signs


def test_a_sign_is_told_with_what_its_interval_knows() -> None:
    assert sign_of(0.2, 0.1, 0.3) == "positive"
    assert sign_of(0.2, 0.0, 0.3) == "positive, interval reaches 0"
    assert sign_of(-0.2, -0.3, -0.1) == "negative"
    assert sign_of(-0.2, -0.3, 0.1) == "negative, interval reaches 0"
    assert sign_of(0.0, 0.0, 0.1) == "held at 0"
    assert sign_of(-0.2, np.nan, np.nan) == "negative"


def test_a_negative_weight_is_flagged_in_words_and_on_the_page(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "negative"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    parts = fitted_parts()
    for row in parts["stage_weights"]:
        if (row["path"], row["stage"], row["input"]) == ("both", "G_ecg", "ecg_2"):
            row.update(weight=-0.4, lo=-0.6, hi=0.1)
    add_pages_run(store, parts=parts, config={"decision": {"nonnegative": False, "penalties": [0.0]}})
    score_all(store)
    store.close()
    text = said(open_page("levels", home, monkeypatch, part="train"))
    assert "1 of 12 weights negative: ECG level 2, mid in G_ecg" in text
    assert "negative, interval reaches 0" in text and "Condition number of the three standardised levels" in text
    assert "Nothing holds the weights" in text
    assert (
        "negative" not in sign_finding(pd.DataFrame(parts["stage_weights"]).query("path == 'ehr'"), {}).split(" is ")[0]
    )


def test_the_table_of_signs_has_the_levels_that_there_are() -> None:
    weights = pd.DataFrame(fitted_parts()["stage_weights"])
    levels = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 3)), columns=["ehr_1", "ehr_2", "ehr_3"])
    table = inflation_table(levels, weights[(weights["path"] == "ehr")])
    assert table["Level"].tolist() == ["EHR 1", "EHR 2", "EHR 3"]
    assert (table["Weight in G"] == "0.300 [0.100–0.500]").all()
    assert "EHR not estimable" in conditions(levels.head(3), ["ehr"])


# The page at the edges


def test_stays_without_an_ecg_are_judged_by_the_stack_that_is_theirs(
    pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "no-ecg"
    shutil.copytree(pages_stores.home["no run"], home)
    store = open_store(f"sqlite:///{home / 'cohort.db'}")
    parts = fitted_parts()
    for row in parts["stage_weights"]:
        if row["path"] == "ehr" and row["input"] in ("ehr_2", "best_ehr"):
            row.update(mean=0.7)
    add_pages_run(store, parts=parts)
    score_all(store, path="ehr")
    n = len(read_analysis.analysed(store, RUN, "train"))
    store.close()
    text = said(open_page("levels", home, monkeypatch, part="train"))
    assert f"All on the same n = {n} stays without an ECG" in text
    assert "EHR levels correlate" in text and "ECG levels correlate" not in text
    assert "lemof-plain" in text and "Judged by" in text


@pytest.mark.parametrize("query", [{"without_deaths": "true"}, {"scale": "probability"}, {"part": "cal"}])
def test_every_choice_has_a_page(
    query: dict[str, str], pages_stores: PagesStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_page("levels", pages_stores.home["full"], monkeypatch, **query)
    assert [one.value for one in app.exception] == []
    frame = read_analysis.analysed(pages_stores.store("full"), RUN, query.get("part", "test"))
    if "without_deaths" in query:
        assert frame["died_before_cut"].any()
        frame = frame[~frame["died_before_cut"]]
    assert f"n = {len(frame):,}, {frame['label'].sum():,} long" in said(app)


def test_a_large_cohort_sends_no_more_points_than_can_be_told_apart() -> None:
    n = 20_000
    rng = np.random.default_rng(0)
    ports = {f"ecg_{k}": rng.normal(size=n) for k in (1, 2, 3)}
    frame = pd.DataFrame({"stay_id": np.arange(n)} | ports)
    assert len(swarm_points(frame, pd.DataFrame(ports), "ecg", "phi_logit")) == 3 * 400
    means = group_means(np.abs(frame[list(ports)].to_numpy()), np.ones((n, 2), dtype=bool), np.arange(n), n_draws=50)
    assert means.draws.shape == (50, 2, 3), "what is kept does not grow with the cohort"
