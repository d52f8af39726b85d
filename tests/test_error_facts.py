"""Facts about stays, their errors, the error tree and the disagreement of parts: laws, hand counts, other libraries."""

from __future__ import annotations

import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages_support import RUN, PagesStores, pages_stores
from scipy.stats import ttest_1samp
from sklearn.metrics import log_loss
from statsmodels.stats.contingency_tables import mcnemar

from cohort_db import read_analysis
from cohort_db.store import open_store
from lemof_core.evaluation.disagreement import against_fused, modality_distance, voices_of, who_was_right
from lemof_core.evaluation.error_tree import grow_tree, in_node
from lemof_core.evaluation.facts import KINDS, Facts, facts_of, qtc_fridericia
from lemof_core.evaluation.losses import LOSSES, loss, mean_error

__all__ = ["pages_stores"]


def made_up(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """A frame like `read_analysis.analysed`, of people without any pattern."""
    rng = np.random.default_rng(seed)
    unit, race = rng.choice(["MICU", "CCU, old"], n), rng.choice(["white", "unknown"], n)
    measured = {"heart_rate_bpm": (85, 20), "pr_ms": (160, 30), "qrs_ms": (105, 20), "qt_ms": (390, 40)}
    frame = pd.DataFrame(
        {
            "stay_id": np.arange(n) + 1000,
            "subject_id": np.arange(n),
            "path": rng.choice(["both", "ehr"], n),
            "label": rng.integers(2, size=n),
            "p": rng.uniform(0.05, 0.95, n),
            "age_years": rng.integers(18, 100, n),
            "sex": rng.choice(["F", "M"], n),
            "race": race,
            "insurance": "unknown",
            "language": rng.choice(["ENGLISH", "?", "unknown"], n),
            "unit": unit,
            "admission_type": rng.choice(["URGENT", "EW EMER."], n),
            "diseases": rng.choice(["", "sepsis", "heart failure, sepsis"], n),
            "ecg": rng.choice(["clean", "flagged", "none"], n),
            "typical_ecg": np.where(rng.uniform(size=n) < 0.2, np.nan, rng.uniform(size=n)),
            "typical_ehr": rng.uniform(size=n),
            "logit": rng.normal(size=n),
        }
    )
    for name, (mean, spread) in measured.items():
        frame[name] = np.where(rng.uniform(size=n) < 0.2, np.nan, rng.normal(mean, spread, n))
    for port in read_analysis.PORTS:
        frame[port] = rng.normal(size=n)
    words = ["path", "sex", "race", "insurance", "language", "unit", "admission_type", "diseases", "ecg"]
    return frame.astype(dict.fromkeys(words, "category"))


# Facts


@given(n=st.integers(0, 60), seed=st.integers(0, 20))
@settings(max_examples=30, deadline=None)
def test_every_stay_is_in_one_band_of_each_quantity(n: int, seed: int) -> None:
    facts = facts_of(made_up(n, seed))
    assert facts.holds.shape == (n, len(facts.facts))
    assert len({fact.code for fact in facts.facts}) == len(facts.facts)
    assert len({fact.words for fact in facts.facts}) == len(facts.facts)
    assert {fact.kind for fact in facts.facts} <= set(KINDS)
    for factor, columns in facts.factors().items():
        bands = facts.holds[:, columns].sum(axis=1)
        if factor in ("Likeness of the ECG", "Likeness of the health record"):
            assert (bands <= 1).all(), "without an ECG there is nothing to be like"
        elif factor != "Disease group":
            assert (bands == 1).all(), f"{factor}: nobody is in two bands, and nobody in none"


def test_the_facts_of_a_store_are_those_of_sql(pages_stores: PagesStores) -> None:
    frame = read_analysis.analysed(open_store(f"sqlite:///{pages_stores.home['full']}/cohort.db"), RUN, "test")
    facts = facts_of(frame)
    database = sqlite3.connect(pages_stores.home["full"] / "cohort.db")
    joined = (
        "SELECT count(DISTINCT sample_id) FROM prediction JOIN sample USING (sample_id) JOIN stay USING (stay_id) JOIN "
        "subject ON subject.subject_id = stay.subject_id LEFT JOIN diagnosis ON diagnosis.hadm_id = stay.hadm_id "
        "WHERE run_id = ? AND prediction.split = 'test' AND label IS NOT NULL AND "
    )
    conditions = {
        "sex:F": "sex = 'F'",
        "age:45": "age_years >= 45 AND age_years < 65",
        "unit:Coronary Care Unit CCU": "first_careunit LIKE '%(CCU)'",
        "disease:sepsis": "disease_group = 'sepsis'",
    }
    known = {fact.code for fact in facts.facts}
    assert set(conditions) <= known
    for code, condition in conditions.items():
        wanted = database.execute(joined + condition, (RUN,)).fetchone()[0]
        assert facts.members([code]).sum() == wanted > 0
        assert facts.members([f"!{code}"]).sum() == len(frame) - wanted


def test_limits_belong_to_the_upper_band_and_what_is_missing_to_its_own() -> None:
    frame = made_up(4).assign(
        qrs_ms=[119.9, 120, np.nan, 90], age_years=[44, 45, 79, 80], sex=["F", "M", "F", "M"], heart_rate_bpm=60.0
    )
    frame["qt_ms"] = [459.0, 455.0, np.nan, 449.0]  # at 60 a minute QTc is QT
    facts = facts_of(frame)
    where = {code: facts.members([code]).tolist() for code in ("qrs_ms:wide", "qrs_ms:none", "age:18", "age:80")}
    assert where["qrs_ms:wide"] == [False, True, False, False]
    assert where["qrs_ms:none"] == [False, False, True, False]
    assert where["age:18"] == [True, False, False, False] and where["age:80"] == [False, False, False, True]
    assert facts.members(["qtc_ms:long"]).tolist() == [False, True, False, False], "455 ms is long for a man alone"
    assert qtc_fridericia(np.array([400.0]), np.array([75.0]))[0] == pytest.approx(400 / 0.8 ** (1 / 3))


def test_a_definition_is_said_and_denied_in_words_and_survives_a_link() -> None:
    facts = facts_of(made_up())
    assert facts.words(["sex:F", "!sex:M", "!disease:sepsis"]) == "women, women, not sepsis"
    assert facts.words([]) == "" and facts.members([]).all()
    assert "unit:CCU old" in {fact.code for fact in facts.facts}, "commas part the codes of a link"
    with pytest.raises(KeyError):
        facts.members(["sex:X"])
    with pytest.raises(KeyError):
        facts.words(["!sex:X"])


def test_facts_that_tell_nobody_apart_are_not_searched() -> None:
    frame = made_up()
    facts = facts_of(frame)
    assert "insurance:unknown" in {fact.code for fact in facts.facts}, "it can be asked for"
    searched = facts.of_kinds(list(KINDS))
    assert "insurance:unknown" not in {fact.code for fact in searched.facts}
    assert len({column.tobytes() for column in searched.holds.T}) == len(searched.facts)
    assert {fact.kind for fact in facts.of_kinds(["ecg"]).facts} == {"ecg"}
    assert facts.of_kinds([]).holds.shape == (60, 0)


# Errors and their means


@pytest.mark.parametrize("kind", LOSSES)
def test_errors_are_those_of_the_definition(kind: str) -> None:
    y, p = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.2, 0.7, 0.1, 1.0])
    found = loss(kind, y, p, p >= 0.5)
    wanted = {"log": -np.log([0.9, 0.2, 0.3, 0.9, 1]), "wrong": [0, 1, 1, 0, 0], "false": [1, 0], "miss": [0, 1, 0]}
    np.testing.assert_allclose(found.error, wanted[kind], atol=1e-5)
    assert found.counted.sum() == len(found.error)
    if kind == "log":
        assert found.error.mean() == pytest.approx(log_loss(y, p), abs=1e-5)


@pytest.mark.parametrize("kind", ["log", "wrong"])
def test_the_foreseen_error_is_the_mean_error_where_the_probabilities_are_right(kind: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 200_000)
    found = loss(kind, rng.uniform(size=len(p)) < p, p, p >= 0.3)
    assert found.expected is not None
    assert found.error.mean() == pytest.approx(found.expected.mean(), abs=0.005)


def test_the_interval_of_a_mean_is_students_and_of_patients() -> None:
    error = np.random.default_rng(0).exponential(size=30)
    one = mean_error(error, np.arange(30))
    theirs = ttest_1samp(error, 0).confidence_interval(0.95)
    assert (one.lo, one.hi) == pytest.approx((theirs.low, theirs.high))
    twice = mean_error(np.repeat(error, 2), np.repeat(np.arange(30), 2))
    assert (twice.value, twice.lo, twice.hi) == pytest.approx((one.value, one.lo, one.hi)), (
        "no new patient, no new news"
    )
    rate = mean_error((error > 1).astype(float), np.arange(30))
    assert rate.lo is not None and rate.hi is not None and 0 < rate.lo < rate.hi < 1
    assert mean_error(error[:4], np.arange(4)).value is None
    assert mean_error(error[:6], np.zeros(6)).value is None, "one patient has no interval"
    assert mean_error(error[:0], np.arange(0)).n == 0


# The tree


def half_wrong(n: int, seed: int) -> tuple[Facts, np.ndarray]:
    facts = facts_of(made_up(n, seed)).of_kinds(["person", "disease"])
    return facts, np.random.default_rng(seed).exponential(size=n)


def test_a_planted_split_is_the_root_and_is_confirmed() -> None:
    facts, error = half_wrong(400, 1)
    women = facts.members(["sex:F"])
    nodes = grow_tree(facts.holds, error + 1.5 * women, np.arange(400))
    root = nodes[0]
    assert root.split is not None and facts.facts[root.split].factor == "Sex" and root.p < 0.001
    assert [len(node.path) for node in nodes[:2]] == [0, 1]
    for node in nodes:
        assert node.n == in_node(facts.holds, node.path).sum() >= 20
    leaves = [node for node in nodes if node.split is None]
    assert sum(node.n for node in leaves) == 400, "every stay is in one leaf"


def test_numbers_are_not_of_the_patients_that_chose_the_splits() -> None:
    """Where errors know no fact the leaves of the grown half differ; those of the other half do so by chance alone."""
    gaps, confirmed, splits = [], 0, 0
    for seed in range(40):
        facts, error = half_wrong(300, seed)
        nodes = grow_tree(facts.holds, error, np.arange(300), seed=seed)
        confirmed += any(node.p <= 0.05 for node in nodes)
        splits += len(nodes) > 1
        first, second = (node.held_out.value for node in nodes if len(node.path) == 1)
        told = nodes[0].split
        assert told is not None and first is not None and second is not None
        inside = facts.holds[:, told]
        # What a tree without a second half would say.
        flattered = abs(error[inside].mean() - error[~inside].mean())
        gaps.append((abs(first - second), flattered))
    assert splits == 40, "a tree always finds something to split"
    assert confirmed <= 6  # more: once in a hundred, at a false-discovery rate of 5 %
    assert np.mean([told for told, _ in gaps]) < np.mean([flattered for _, flattered in gaps])


@pytest.mark.parametrize("n", [0, 1, 30])
def test_too_few_stays_grow_no_tree(n: int) -> None:
    facts, error = half_wrong(n, 0)
    (root,) = grow_tree(facts.holds, error, np.arange(n))
    assert root.n == n and root.split is None and root.path == ()


def test_copies_of_a_patients_stays_make_no_split_surer() -> None:
    holds = np.random.default_rng(1).random((300, 4)) < 0.5
    error = np.random.default_rng(2).random(300) + 0.1 * holds[:, 0]
    once = grow_tree(holds, error, np.arange(300))
    four = grow_tree(holds.repeat(4, axis=0), error.repeat(4), np.arange(300).repeat(4), fewest=80)
    assert [node.split for node in four] == [node.split for node in once]
    assert any(node.split is not None for node in once)
    np.testing.assert_allclose([node.p for node in four], [node.p for node in once])


def test_all_the_same_error_grows_no_tree_and_patients_are_not_parted() -> None:
    facts, error = half_wrong(200, 0)
    assert len(grow_tree(facts.holds, np.ones(200), np.arange(200))) == 1
    nodes = grow_tree(facts.holds, error, np.arange(200) // 4)
    assert nodes[0].held_out.n == 100, "25 of 50 patients, with all of their four stays"


# Disagreement


def test_every_part_raises_as_many_alarms_as_the_whole_model() -> None:
    frame = made_up(101)
    alarm = (frame["p"] >= 0.6).to_numpy()
    voices = voices_of(frame, alarm)
    assert voices.names[:3] == ("fused", "ecg", "ehr") and len(voices.names) == 10
    assert (voices.alarm.sum(axis=0) == alarm.sum()).all()
    for name in voices.names[1:]:
        own = voices.score[:, voices[name]]
        assert own[voices.alarm[:, voices[name]]].min() == voices.cut[voices[name]]
        assert voices.percentile[:, voices[name]].mean() == pytest.approx(0.5)
    np.testing.assert_allclose(voices.score[:, voices["ecg"]], frame[["ecg_1", "ecg_2", "ecg_3"]].mean(axis=1))
    swapped = voices_of(frame.rename(columns={f"{a}_{k}": f"{b}_{k}" for k in (1, 2, 3) for a, b in (("ecg", "ehr"), ("ehr", "ecg"))}), alarm)  # fmt: skip # noqa: E501
    np.testing.assert_allclose(modality_distance(swapped), -modality_distance(voices))


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_alarm_and_only_alarms_are_heard_as_such(share: float) -> None:
    voices = voices_of(made_up(20), np.full(20, bool(share)))
    assert (voices.alarm.mean(axis=0) == share).all()


def test_a_part_that_a_run_does_not_store_is_not_heard() -> None:
    frame = made_up(20).assign(cross=np.nan, ecg_1=np.nan, ecg_2=np.nan)
    voices = voices_of(frame, (frame["p"] > 0.5).to_numpy())
    assert voices.names == ("fused", "ecg", "ehr", "ecg_3", "ehr_1", "ehr_2", "ehr_3")
    np.testing.assert_array_equal(voices.score[:, voices["ecg"]], frame["ecg_3"])
    silent = voices_of(frame.assign(ecg_3=np.nan), (frame["p"] > 0.5).to_numpy())
    with pytest.raises(ValueError):
        modality_distance(silent)
    assert voices_of(frame.iloc[:0], np.zeros(0, dtype=bool)).names == ("fused",)


def test_who_was_right_counts_everybody_once() -> None:
    frame = made_up(80)
    y = frame["label"].to_numpy()
    right = voices_of(frame, (frame["p"] > 0.5).to_numpy()).right(y)[:, [1, 2, 0]]
    table = who_was_right(right)
    assert table["n"].sum() == 80 and table["share"].sum() == pytest.approx(1)
    counted = pd.DataFrame(right, columns=["ecg", "ehr", "fused"]).value_counts()
    for row in table.itertuples():
        assert row.n == counted.get((row.ecg, row.ehr, row.fused), 0)
        assert row.lo <= row.share <= row.hi
    assert who_was_right(right[:0])["n"].tolist() == [0] * 8


def test_parts_are_held_against_the_whole_model_by_mcnemars_test() -> None:
    frame = made_up(80)
    y = frame["label"].to_numpy()
    voices = voices_of(frame, (frame["p"] > 0.5).to_numpy())
    table = against_fused(voices, y).set_index("voice")
    right = voices.right(y)
    fused, own = right[:, 0], right[:, voices["ecg_2"]]
    row = table.loc["ecg_2"]
    assert (row["only_voice"], row["only_fused"]) == ((own & ~fused).sum(), (~own & fused).sum())
    plain = mcnemar(pd.crosstab(own, fused).to_numpy(), exact=True).pvalue
    assert plain <= row["p"] <= min(1, 9 * plain), "Holm's p is never below the plain one"
    assert np.isnan(table.loc["fused", "p"]) and table.loc["fused", "only_voice"] == 0
    assert table.loc["fused", "share"] == pytest.approx(((frame["p"] > 0.5) == (y == 1)).mean())
