"""Groups of patients, gaps between them and smooth calibration beside fairlearn, statsmodels and counts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import precision_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from dashboard.gaps_panel import finding
from dashboard.strata import EVERYBODY, counted_rows, several_in_words
from dashboard.strata_links import can_link, group_query
from dashboard.wording import Definition, percent
from lemof_core.evaluation import gaps
from lemof_core.evaluation.calibration import observed_over_expected, smooth_curve
from lemof_core.evaluation.gaps import RATES, Gap, GroupValues, auroc_by_group, comparable, rates_by_group
from lemof_core.evaluation.metrics import MIN_EVENTS, bootstrap_weights, observed_expected
from lemof_core.evaluation.strata import AGE_BANDS, KINDS, MIN_OF_CLASS, age_band, groups, shown, strata


def people(n: int, seed: int = 0) -> pd.DataFrame:
    """The columns of `read_analysis.analysed` that strata look at, and label, p and path."""
    rng = np.random.default_rng(seed)
    p = rng.beta(2, 2, n)
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], n),
            "age_years": rng.integers(18, 95, n),
            "unit": rng.choice(["MICU", "CCU"], n),
            "path": rng.choice(["both", "ehr"], n),
            "ecg": rng.choice(["clean", "flagged", "none"], n),
            "race": rng.choice(["white", "black", "unknown"], n),
            "insurance": rng.choice(["Medicare", "Other"], n),
            "language": "ENGLISH",
            "diseases": rng.choice(["", "sepsis", "diabetes, sepsis"], n),
            "label": (rng.random(n) < p).astype(int),
            "p": p,
        }
    )
    words = ["sex", "unit", "path", "ecg", "race", "insurance", "language", "diseases"]
    return frame.astype(dict.fromkeys(words, "category"))


# Strata


@pytest.mark.parametrize("n", [0, 1, 300])
def test_every_kind_but_diseases_parts_the_patients(n: int) -> None:
    frame = people(n)
    for kind in KINDS:
        members = groups(frame, kind)
        counted = np.sum(list(members.values()), axis=0) if members else np.zeros(n)
        assert all(one.shape == (n,) for one in members.values())
        if kind != "disease":
            assert (counted == 1).all(), kind
    with pytest.raises(KeyError):
        groups(frame, "hair")
    kinds = [kind for kind, _, _ in strata(frame)]
    assert kinds[0] == "all" and set(kinds[1:]) <= set(KINDS)


def test_members_are_those_that_pandas_finds() -> None:
    frame = people(300)
    diseases = frame["diseases"].astype(str)
    assert (groups(frame, "disease")["sepsis"] == diseases.str.contains("sepsis")).all()
    assert (groups(frame, "disease")["diabetes"] == diseases.str.contains("diabetes")).all()
    assert list(groups(frame, "quality")) == ["clean", "flagged", "none"], "from good to bad"
    for low, high in AGE_BANDS:
        assert (groups(frame, "age")[age_band(low, high)] == frame["age_years"].between(low, high - 1)).all()
    assert (groups(frame, "ecg")["without ECG"] == (frame["path"] == "ehr")).all()


def test_the_floor_of_what_is_shown_is_never_below_that_of_what_is_estimated() -> None:
    assert MIN_OF_CLASS >= MIN_EVENTS
    assert shown(20, 10) and not shown(19, 10) and not shown(100, 9) and not shown(0, 0)


def test_rates_of_the_forest_are_those_of_the_group_with_wilsons_interval() -> None:
    frame = people(400)
    alarm = (frame["p"] >= 0.4).to_numpy()
    rows = counted_rows(frame, alarm, "sex", "sensitivity").set_index("label")
    for name, sex in (("women", "F"), ("men", "M"), (EVERYBODY, None)):
        some = (frame["label"] == 1) & ((frame["sex"] == sex) if sex else True)
        k, n = int(alarm[some].sum()), int(some.sum())
        assert rows.loc[name, "value"] == pytest.approx(k / n)
        assert (rows.loc[name, "lo"], rows.loc[name, "hi"]) == pytest.approx(proportion_confint(k, n, method="wilson"))
    few = counted_rows(frame.head(25), alarm[:25], "sex", "ppv")
    assert few.loc[few["label"] != EVERYBODY, "value"].isna().all(), "a handful is not shown apart"
    assert few["text"].str.contains("suppressed").sum() == 2
    assert counted_rows(frame.head(0), alarm[:0], "sex", "ppv").empty


def test_several_intervals_are_said_to_miss() -> None:
    words = several_in_words(10)
    assert "about 0.5 of them" in words and f"{100 * (1 - 0.95**10):.0f} %" in words
    assert several_in_words(1) == ""


# Links


def test_a_group_is_linked_where_the_cohort_has_its_filter() -> None:
    defined = Definition(24, 72)
    assert group_query(defined, "sex", "women") == {"sex": ["Women"]}
    assert group_query(defined, "ecg", "without ECG") == {"ecg": ["No usable ECG"]}
    assert group_query(defined, "disease", "sepsis") == {"disease": ["sepsis"]}
    assert group_query(defined, "age", "80+", ages=(19, 91)) == {"age": ["80", "91"]}
    assert group_query(defined, "age", "18-44", ages=(19, 91)) == {"age": ["19", "44"]}
    assert group_query(defined, "all", "all") == {}
    for kind in KINDS:
        name = age_band(*AGE_BANDS[0]) if kind == "age" else "x"
        assert (group_query(defined, kind, name) is not None) == can_link(kind)
    assert not can_link("insurance"), "the cohort cannot be filtered by it"


# Gaps


@given(seed=st.integers(0, 200), cut=st.floats(0.05, 0.95))
@settings(max_examples=15, deadline=None)
def test_values_and_gaps_are_fairlearns_row_by_row(seed: int, cut: float) -> None:
    frame = people(200, seed)
    y, alarm = frame["label"].to_numpy(), (frame["p"] >= cut).to_numpy()
    kept, left_out = comparable(y, groups(frame, "race"))
    assert set(kept) == {"white", "black"} and "unknown" in left_out[0]
    rows = frame["race"].isin(kept).to_numpy()
    metrics = {"selection": selection_rate, "tpr": true_positive_rate, "fpr": false_positive_rate, "ppv": precision}
    wanted = MetricFrame(
        metrics=metrics, y_true=y[rows], y_pred=alarm[rows], sensitive_features=frame["race"].astype(str)[rows]
    )
    found = rates_by_group(y, alarm, kept, np.arange(200), n_draws=50)
    for name, values in found.items():
        np.testing.assert_allclose(values.table["value"], wanted.by_group.loc[list(kept), name])
        gap = values.gap()
        if gap is None:
            assert wanted.by_group[name].isna().any()
            continue
        assert gap.difference[0] == pytest.approx(wanted.difference()[name])
        if gap.ratio is not None:
            assert gap.ratio[0] == pytest.approx(wanted.ratio()[name])
        table = values.table
        assert ((table["lo"] <= table["value"] + 1e-9) & (table["value"] <= table["hi"] + 1e-9)).all()


def precision(y: np.ndarray, said: np.ndarray) -> float:
    """PPV; NaN without an alarm."""
    return float(precision_score(y, said, zero_division=np.nan))


def test_the_auroc_by_group_is_scikit_learns() -> None:
    frame = people(300)
    y, p = frame["label"].to_numpy(), frame["p"].to_numpy()
    found = auroc_by_group(y, p, groups(frame, "sex"), np.arange(300), n_draws=60)
    wanted = MetricFrame(
        metrics=roc_auc_score, y_true=y, y_pred=p, sensitive_features=frame["sex"].map({"F": "women", "M": "men"})
    )
    np.testing.assert_allclose(found.table["value"], wanted.by_group[["women", "men"]])
    gap = found.gap()
    assert gap is not None and gap.difference[0] == pytest.approx(wanted.difference())
    assert gap.difference[1] <= gap.difference[0] <= gap.difference[2]


def test_a_large_groups_auroc_is_as_uncertain_as_its_drawn_patients_say(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    n = 2_000
    y, subjects = rng.integers(0, 2, n), rng.integers(0, 900, n)
    p = expit(rng.normal(0.7 * y, 1))
    halves = {"a": np.arange(n) % 2 == 0, "b": np.arange(n) % 2 == 1}
    drawn = auroc_by_group(y, p, halves, subjects, n_draws=1_000)
    monkeypatch.setattr(gaps, "MANY", 100)
    normal = auroc_by_group(y, p, halves, subjects, n_draws=1_000)
    np.testing.assert_allclose(normal.table["value"], drawn.table["value"])
    np.testing.assert_allclose(normal.draws.std(0), drawn.draws.std(0), rtol=0.1)
    assert not np.array_equal(normal.draws, drawn.draws)
    one, other = normal.gap(), drawn.gap()
    assert one is not None and other is not None
    assert one.by_chance == pytest.approx(other.by_chance, rel=0.15)


def test_a_planted_gap_is_clear_and_equal_groups_stay_within_chance() -> None:
    rng = np.random.default_rng(0)
    n, beyond = 600, []
    groups_of = {str(k): np.arange(n) % 3 == k for k in range(3)}
    for seed in range(120):
        y = rng.integers(0, 2, n)
        alarm = rng.random(n) < 0.4
        values = rates_by_group(y, alarm, groups_of, np.arange(n), n_draws=400, seed=seed).values()
        gaps = [gap for one in values if (gap := one.gap()) is not None]
        assert len(gaps) == len(RATES)
        beyond.append(any(gap.difference[0] > gap.by_chance for gap in gaps))
    # One look in twenty is expected to show some measure when all are equal; 300 looks showed 13.
    assert 0 < np.mean(beyond) < 0.1
    planted = alarm | (groups_of["2"] & (rng.random(n) < 0.6))
    found = rates_by_group(y, planted, groups_of, np.arange(n))["tpr"].gap()
    assert found is not None and found.highest == "2" and found.difference[0] > found.by_chance
    assert found.difference[1] > 0


def test_the_title_of_the_gaps_names_what_differs() -> None:
    wide = Gap("a", "b", (0.3, 0.2, 0.4), None, 0.1)
    none = Gap("a", "b", (0.05, -0.1, 0.2), None, 0.1)
    assert finding({"tpr": none, "ppv": None}, "sex") == "By sex, no measure differs by more than chance gives"
    assert finding({"tpr": wide, "ppv": none}, "age") == "By age, sensitivity differs by more than chance gives"
    both = finding({"selection": wide, "tpr": none, "ppv": wide}, "unit")
    assert both == "By care unit, alarms and PPV differ by more than chance gives"


def test_a_group_without_an_alarm_has_no_ppv_and_one_value_makes_no_gap() -> None:
    y = np.tile([0, 1], 40)
    halves = {"a": np.arange(80) < 40, "b": np.arange(80) >= 40}
    values = rates_by_group(y, halves["a"], halves, np.arange(80), n_draws=20)["ppv"]
    assert np.isnan(values.table.loc["b", "value"]) and values.gap() is None
    nobody = rates_by_group(y, np.zeros(80, bool), halves, np.arange(80), n_draws=20)["selection"].gap()
    assert nobody is not None and nobody.ratio is None and nobody.difference == (0, 0, 0)
    empty = GroupValues(pd.DataFrame({"value": [], "lo": [], "hi": []}), np.empty((5, 0)))
    assert empty.gap() is None


# Calibration


def test_the_smooth_curve_finds_the_true_shape_within_its_band() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1.2, 20_000)
    truth = expit(0.5 * x - 0.2)
    curve = smooth_curve((rng.random(20_000) < truth).astype(int), expit(x), np.arange(20_000))
    assert curve is not None
    wanted = expit(0.5 * logit(curve["predicted"]) - 0.2)
    np.testing.assert_allclose(curve["observed"], wanted, atol=0.03)
    assert ((curve["lo"] < curve["observed"]) & (curve["observed"] < curve["hi"])).all()
    assert ((curve["lo"] <= wanted) & (wanted <= curve["hi"])).mean() > 0.7
    assert curve["predicted"].is_monotonic_increasing


def test_on_a_straight_truth_the_spline_agrees_with_a_line() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(0, 1, 3000)
    y = (rng.random(3000) < expit(x)).astype(int)
    curve = smooth_curve(y, expit(x), np.arange(3000))
    assert curve is not None
    line = sm.Logit(y, sm.add_constant(x)).fit(disp=0)
    straight = line.predict(sm.add_constant(logit(curve["predicted"].to_numpy())))
    np.testing.assert_allclose(curve["observed"], straight, atol=0.06)


def test_a_second_stay_of_each_patient_narrows_nothing() -> None:
    rng = np.random.default_rng(2)
    p = rng.uniform(0.05, 0.95, 300)
    y = (rng.random(300) < p).astype(int)
    once = smooth_curve(y, p, np.arange(300))
    twice = smooth_curve(np.tile(y, 2), np.tile(p, 2), np.tile(np.arange(300), 2))
    assert once is not None and twice is not None
    np.testing.assert_allclose(twice["hi"] - twice["lo"], once["hi"] - once["lo"], rtol=0.05)


@pytest.mark.parametrize(
    ("y", "p"),
    [
        (np.array([]), np.array([])),
        (np.array([1]), np.array([0.4])),
        (np.zeros(40), np.linspace(0.1, 0.9, 40)),
        (np.tile([0, 1], 20), np.full(40, 0.5)),
        (np.tile([0, 1], 20), np.tile([0.2, 0.8], 20)),
        (np.repeat([0, 1], 20), np.linspace(0.1, 0.9, 40)),
    ],
    ids=["nobody", "one", "one class", "one forecast", "two forecasts", "perfectly separated"],
)
def test_what_cannot_be_fitted_has_no_curve(y: np.ndarray, p: np.ndarray) -> None:
    assert smooth_curve(y, p, np.arange(len(y))) is None


def test_observed_over_expected_has_the_interval_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(300), 2)
    p = np.repeat(rng.uniform(0.1, 0.7, 300), 2)
    y = (rng.random(600) < 1.2 * p).astype(int)
    value, low, high = observed_over_expected(y, p, subjects) or (0, 0, 0)
    assert value == pytest.approx(y.sum() / p.sum())
    draws = observed_expected(y, p, bootstrap_weights(subjects, n_draws=2000))
    assert (low, high) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.02)
    assert observed_over_expected(np.zeros(40), np.full(40, 0.2), np.arange(40)) is None


def test_shares_are_whole_percents_but_small_ones() -> None:
    assert [percent(share) for share in (0, 0.005, 0.335, 1)] == ["0 %", "0.5 %", "34 %", "100 %"]
