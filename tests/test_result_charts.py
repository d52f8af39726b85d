"""Figures, tables and numbers of the pages of results, without Streamlit: laws and counts by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.charts.attrition import attrition_flow
from dashboard.charts.beeswarm import MOST_POINTS, beeswarm, swarm_offsets
from dashboard.charts.calibration import calibration
from dashboard.charts.correlation import correlation
from dashboard.charts.curves import decision, precision_recall, roc
from dashboard.charts.theme import CONTEXT, LOWERS, RAISES
from dashboard.figures import Figure, figure_row
from dashboard.level_tables import finding as level_finding
from dashboard.level_tables import importance_lead, input_label, level_table, weight_rows
from dashboard.level_weights import collinearity
from dashboard.plain_table import plain_table
from dashboard.strata import branch_rows, finding, floors_in_words, not_estimable, strata_rows, strata_table
from lemof_core.evaluation.calibration import calibration_groups, histogram, smooth_curve
from lemof_core.evaluation.confusion import confusion
from lemof_core.evaluation.cuts import cut_counts, drawn_cut_counts
from lemof_core.evaluation.net_benefit import decision_curve
from lemof_core.evaluation.ranking_curves import precision_recall_points, roc_points

Y = np.array([1, 1, 1, 0, 0, 0, 0, 1])
P = np.array([0.9, 0.8, 0.3, 0.7, 0.2, 0.1, 0.3, 0.6])


def _model(n: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(y, a true probability, noise) of n patients."""
    rng = np.random.default_rng(seed)
    p_x = rng.uniform(0, 1, n)
    return (rng.uniform(0, 1, n) < p_x).astype(float), p_x, rng.uniform(0, 1, n)


def _decision_curve(y: np.ndarray, p: np.ndarray) -> pd.DataFrame:
    return decision_curve(cut_counts(y, p), drawn_cut_counts(y, p, np.arange(len(y)), n_draws=50))


# Curves


def test_the_band_of_the_decision_curve_is_that_of_the_gain() -> None:
    y, p, _ = _model(400)
    curve = _decision_curve(y, p)
    low, high, everybody, nobody, model = decision(curve, [0.5], 0.5).data
    better = np.maximum(everybody.y, nobody.y)
    np.testing.assert_allclose(low.y - better, curve["lo"])
    np.testing.assert_allclose(high.y - better, curve["hi"])
    assert ((low.y <= model.y + 1e-12) & (model.y <= high.y + 1e-12)).all()
    assert high.fill == "tonexty" and len(model.x) == 99


def test_the_mark_on_each_curve_is_where_the_threshold_is() -> None:
    mark = roc(roc_points(Y, P), confusion(Y, P >= 0.5)).data[-1]
    assert (mark.x[0], mark.y[0]) == (0.25, 0.75)
    mark = precision_recall(precision_recall_points(Y, P), confusion(Y, P >= 0.5)).data[-1]
    assert (mark.x[0], mark.y[0]) == (0.75, 0.75)
    assert len(precision_recall(precision_recall_points(Y, P), confusion(Y, P >= 1.0)).data) == 2, (
        "without any alarm there is no PPV to mark"
    )
    figure = decision(_decision_curve(Y, P), [0.5, 0.7], 0.25)
    assert [line.x0 for line in figure.layout.shapes] == [0.5, 0.7, 0.25]
    assert figure.layout.shapes[2].line.color != figure.layout.shapes[0].line.color, "what the costs ask for is apart"


def test_curves_run_from_corner_to_corner_and_stay_small() -> None:
    y, p, _ = _model(5000)
    line = roc(roc_points(y, p), confusion(y, p >= 0.5)).data[1]
    assert (line.x[0], line.y[0], line.x[-1], line.y[-1]) == (0, 0, 1, 1)
    assert len(line.x) <= 400
    assert (np.diff(line.x) >= 0).all()


@given(n=st.integers(1, 200))
@settings(max_examples=30, deadline=None)
def test_calibration_groups_hold_every_stay_once_from_low_to_high(n: int) -> None:
    y, p, _ = _model(n, seed=n)
    groups = calibration_groups(y, p)
    assert groups["n"].sum() == n
    assert groups["events"].sum() == y.sum()
    assert groups["predicted"].is_monotonic_increasing
    assert ((groups["lo"] <= groups["observed"]) & (groups["observed"] <= groups["hi"])).all()
    assert (groups["predicted"] * groups["n"]).sum() == pytest.approx(p.sum())
    figure = calibration(groups, smooth_curve(y, p, np.arange(n)), histogram(y, p))
    assert len(figure.data[1].x) == len(groups)
    assert sum(figure.data[-1].y) == n, "the bars count every stay"


# Strata and branches


def _metrics() -> pd.DataFrame:
    """AUROC and accuracy of everybody, of two diseases and two ages, and of some inner predictions."""
    shared = {"deaths": "with", "lo": 0.5, "hi": 0.8, "events": 10, "note": None}
    strata = [
        ("all", "all", 100, 0.7),
        ("disease", "rare", 12, 0.9),
        ("disease", "common", 60, 0.65),
        ("age", "65-79", 50, 0.6),
        ("age", "18-44", 20, 0.8),
    ]
    rows = [
        shared | {"source": "final", "stratum_kind": kind, "stratum": name, "name": "auroc", "value": value, "n": n}
        for kind, name, n, value in strata
    ]
    rows += [
        shared | {"source": source, "stratum_kind": "all", "stratum": "all", "name": "auroc", "value": 0.6, "n": 80}
        for source in ("late_mean", "final_paired", "ecg_1", "majority")
    ]
    majority = {"source": "majority", "stratum_kind": "disease", "stratum": "common", "name": "acc_50"}
    base_rate = {"source": "base_rate", "stratum_kind": "disease", "stratum": "common", "name": "brier"}
    floors = [shared | majority | {"value": 0.58, "n": 60}, shared | base_rate | {"value": 0.24, "n": 60}]
    return pd.DataFrame([*rows, *floors])


def test_strata_come_after_everybody_and_say_what_is_not_estimable() -> None:
    rows = strata_rows(_metrics(), "disease")
    assert rows["label"].tolist() == ["All stays", "common", "rare"]
    assert rows["id"].tolist() == ["all", "common", "rare"]
    told = ["0.65 [0.50–0.80]   n = 60, 10 long", "suppressed   n = 12, 10 long"]
    assert rows["text"].tolist()[1:] == told
    assert rows["value"].isna().tolist() == [False, False, True], "two other stays are too few to stand apart"
    assert not_estimable(rows) == 1
    assert finding(rows, "auroc", "disease").endswith("; 1 of 2 groups suppressed or not estimable")
    all_known = rows.assign(value=[0.7, 0.65, 0.9])
    assert finding(all_known, "auroc", "disease") == "AUROC by disease group: from 0.65 (common) to 0.90 (rare)"
    assert strata_rows(_metrics(), "age")["label"].tolist() == ["All stays", "18-44", "65-79"]
    assert strata_rows(_metrics(), "disease", deaths="without").empty


def test_the_table_has_the_floor_that_accuracies_must_beat() -> None:
    table = strata_table(_metrics(), "disease").set_index("Group")
    floors = ["ACC of always the commoner", "Brier of the base rate", "AUPRC of the base rate"]
    assert table.loc["common", ["n", "Long", "AUROC", *floors]].tolist() == [
        60,
        10,
        "0.65 [0.50–0.80]",
        "0.58 [0.50–0.80]",
        "0.24 [0.50–0.80]",
        "–",
    ]
    assert set(table.loc["rare", ["AUROC", *floors]]) == {"suppressed", "–"}
    assert strata_table(_metrics().head(0), "disease").empty


def test_the_floors_are_said_with_the_counts_of_the_patients_that_the_run_was_fitted_with() -> None:
    counts = {"train": {"n": 60, "events": 20}, "cal": {"n": 40, "events": 10}, "test": {"n": 50, "events": 50}}
    words = floors_in_words(counts)
    assert "no long stay for everybody" in words and "100 stays" in words and "0.30 for everybody" in words
    assert "a long stay for everybody" in floors_in_words({"train": {"n": 3, "events": 2}})
    assert floors_in_words({"test": {"n": 50, "events": 50}}) == "", "test patients fit nothing"


def test_branches_stand_in_the_order_of_the_model_and_the_whole_is_strong() -> None:
    rows = branch_rows(_metrics())
    assert rows["label"].tolist() == [
        "ECG level 1, low",
        "Mean of ECG 3 and EHR 3 (late fusion)",
        "LeMoF, the whole model",
    ]
    assert rows["strong"].tolist() == [False, False, True]


# Levels


@given(values=st.lists(st.integers(-20, 20).map(float), max_size=80))
def test_swarm_points_of_one_value_do_not_lie_on_each_other(values: list[float]) -> None:
    offsets = swarm_offsets(np.array(values))
    assert (np.abs(offsets) <= 0.43).all()
    for value in set(values):
        stacked = offsets[np.array(values) == value]
        assert len(set(np.round(stacked, 9))) == len(stacked)
    shuffled = np.random.default_rng(0).permutation(len(values))
    again = swarm_offsets(np.array(values)[shuffled])
    assert sorted(zip(np.array(values)[shuffled], again, strict=True)) == sorted(zip(values, offsets, strict=True))


def _scores(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frames = [
        pd.DataFrame({"stay_id": np.arange(n), "level": level, "p_level": 0.5, "phi_logit": rng.normal(0, 1, n)})
        for level in (1, 2, 3)
    ]
    return pd.concat(frames, ignore_index=True)


def test_every_point_of_the_swarm_knows_its_stay_and_its_sign() -> None:
    scores = _scores(50)
    scores.loc[0, "phi_logit"] = 0.0
    points = beeswarm(scores, "phi_logit", x_title="phi", x_limit=2.0).data[0]
    of_point = {(row[0], row[2]): x for row, x in zip(points.customdata, points.x, strict=True)}
    assert of_point == {(row.stay_id, row.level): row.phi_logit for row in scores.itertuples()}
    signs = {
        color: {np.sign(x) for x, c in zip(points.x, points.marker.color, strict=True) if c == color}
        for color in set(points.marker.color)
    }
    assert signs == {LOWERS: {-1.0}, RAISES: {1.0}, CONTEXT: {0.0}}
    assert np.array_equal(np.round(points.y), [row[2] for row in points.customdata]), "a level keeps to its line"


def test_a_large_swarm_is_thinned_evenly() -> None:
    points = beeswarm(_scores(5 * MOST_POINTS), "phi_logit", x_title="phi").data[0]
    assert len(points.x) == 3 * MOST_POINTS
    stays = np.array([row[0] for row in points.customdata if row[2] == 1])
    assert stays.min() == 0
    assert stays.max() == 5 * MOST_POINTS - 1


CHOICES = pd.DataFrame(
    [
        ("ecg", 1, 0.2, 0.3, 0.1, False, True, 0.9, 0.55),
        ("ecg", 3, 0.4, 0.5, 0.9, True, False, 0.1, 0.61),
        ("ehr", 0, None, None, None, False, True, 0.8, None),
        ("ehr", 2, 0.4, 0.5, 0.55, True, False, 0.1, 0.61),
    ],
    columns=[
        "modality",
        "level",
        "mean_abs_phi",
        "weight",
        "frequency",
        "is_k_star",
        "is_cross_level",
        "cross_frequency",
        "auroc",
    ],
).astype({"mean_abs_phi": float, "frequency": float, "auroc": float})


def test_a_level_is_never_named_without_its_frequency() -> None:
    assert level_finding(CHOICES, "ecg") == "ECG: level 3 is k* in 90 % of the refits, clearly ahead of level 1 (10 %)"
    assert level_finding(CHOICES, "ehr") == "EHR: level 2 is k* in 55 % of the refits, no other level in any"
    close = CHOICES.assign(frequency=[0.45, 0.55, None, 0.55])
    assert level_finding(close, "ecg") == "ECG: level 3 is k* in 55 % of the refits, ahead of level 1 (45 %)"
    beaten = CHOICES.assign(frequency=[0.6, 0.4, None, 0.55])
    assert level_finding(beaten, "ecg") == "ECG: level 3 is k* in 40 % of the refits, less often than level 1 (60 %)"
    assert level_finding(beaten.assign(frequency=[0.3, 0.4, None, 0.55]), "ecg").endswith(
        "40 % of the refits, far from settled against level 1 (30 %)"
    )
    unknown = CHOICES.assign(frequency=np.nan)
    assert level_finding(unknown, "ecg") == "ECG: level 3 weighs most; how often is not known"
    assert level_finding(CHOICES.assign(is_k_star=False), "ecg") == "ECG: no level was chosen"


def test_the_lead_of_k_star_in_importance_is_a_share() -> None:
    assert importance_lead(CHOICES, "ecg") == "Level 1 has 50 % of the mean |φ| of level 3."
    assert importance_lead(CHOICES, "ehr") == "", "a single level leads nobody"
    close = CHOICES.assign(mean_abs_phi=[0.3995, 0.4, None, 0.4])
    assert "Level 1 has 99.9 %" in importance_lead(close, "ecg"), "nearly the same is not written as the same"
    assert "0 for every level" in importance_lead(CHOICES.assign(mean_abs_phi=0.0), "ecg")


def test_the_level_table_shows_both_choices_and_no_invented_number() -> None:
    table = level_table(CHOICES, _metrics(), "ecg").set_index("Level")
    assert table["Chosen"].tolist() == ["k*", "M2"], "the high level stands on top"
    assert table.loc["Level 1, low", "AUROC, test"] == "0.60 [0.50–0.80] n = 80"
    assert table.loc["Level 3, high", "AUROC, test"] == "not evaluated"
    own = level_table(CHOICES, _metrics(), "ehr").set_index("Level").loc["M2's own tokens"]
    assert (own["Mean |φ|"], own["AUROC, test"], own["AUROC, fitting"]) == ("–", "–", "–")


def test_weights_stand_in_the_order_of_the_inputs_without_the_intercept() -> None:
    names = ["best_ehr", "intercept", "meta_ecg", "best_ecg", "meta_ehr"]
    weights = pd.DataFrame({"path": "both", "stage": "G_O1", "input": names, "weight": 0.1, "lo": 0.0, "hi": 0.2})
    assert weight_rows(weights, "G_O1", "both")["label"].tolist() == [
        "y_meta, ECG",
        "y_best, ECG",
        "y_meta, EHR",
        "y_best, EHR",
    ]
    assert weight_rows(weights, "G_O1", "ehr").empty
    assert input_label("ehr_2") == "EHR level 2, mid"


def test_collinearity_is_the_range_of_pearsons_r() -> None:
    first = np.arange(10.0)
    levels = pd.DataFrame({"ecg_1": first, "ecg_2": 2 * first + 1, "ecg_3": -first})
    assert collinearity(levels, "ecg") == "ECG levels correlate −1.00 to +1.00, variance inflation infinite"
    assert "not estimable, n = 1" in collinearity(levels.head(1), "ecg")
    figure = correlation(levels, ["a", "b", "c"])
    assert figure.data[0].text[0] == ["1.00", "1.00", "−1.00"]
    white = [note.font.color == "white" for note in figure.layout.annotations]
    assert white == [True, True, False, True, True, False, False, False, True], "on dark cells alone"


# HTML


def test_the_attrition_flow_draws_what_it_counts() -> None:
    rows = pd.DataFrame(
        [(0, "all", "All <stays>", 200, 0, 200), (1, "adult", "Adults", 200, 50, 150)],
        columns=["step", "rule", "label", "n_before", "n_left_out", "n_after"],
    )
    text = attrition_flow(rows)
    assert "All &lt;stays&gt;" in text
    assert "<stays>" not in text
    assert 'width:75.00%"></i><s style="width:25.00%' in text
    assert "<b>150</b>" in text
    assert "−50" in text
    assert "<tbody></tbody>" in attrition_flow(rows.head(0))


def test_stored_text_is_escaped_in_tables_and_figures() -> None:
    text = "<b>x</b> & y"
    for shown in (plain_table(pd.DataFrame({text: [text], "b": [text]})), figure_row([Figure(text, text, text, text)])):
        assert shown.count("&lt;b&gt;x&lt;/b&gt; &amp; y") >= 3
        assert "<b>" not in shown


def test_numbers_stand_at_the_right_and_words_at_the_left() -> None:
    table = plain_table(pd.DataFrame({"Split": ["train"], "n": ["4"], "Used for": ["fit"]}), words=["Used for"])
    assert '<th scope="row" class="words">train</th><td class="number">4</td><td class="words">fit</td>' in table
    assert "<thead>" not in plain_table(pd.DataFrame({"a": ["b"]}), head=False)
