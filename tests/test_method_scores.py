"""Seeds, means, ranks and differences of /methods, counted by hand; its charts and words, without Streamlit."""

from __future__ import annotations

import pandas as pd
import pytest
from methods_support import result

from dashboard.charts.beside import beside
from dashboard.method_comparison import chart_rows, means_table, numbers_table, rank_rows, settings_table
from dashboard.method_differences import forest_rows, summary
from dashboard.method_extras import cost_table, ladder_rows, quality_table
from dashboard.method_scores import Choice, chosen, compare, wide
from dashboard.method_words import contender_label, pair_label
from lemof_core.benchmark.over_seeds import over_seeds

FROZEN = Choice("frozen", "oof5", "robust")
PAPER = pd.DataFrame(
    {"lemof": [0.66, 0.70, 0.60], "daft": [0.64, 0.71, 0.50], "mmtm": [0.64, 0.60, 0.40]}, index=["a|x", "b|x", "c|x"]
)
ORDER = ("lemof", "daft", "mmtm")


def scores(**values: dict[str, float | None]) -> pd.DataFrame:
    """Scores of contenders by pair, one seed each: contender -> pair -> AUROC."""
    rows = [
        result(value, "auroc", ecg_encoder=pair[0], ehr_encoder=pair[1], fusion=name, arm="frozen")
        for name, of_pair in values.items()
        for pair, value in of_pair.items()
    ]
    frame = pd.DataFrame(rows).astype({"value": float, "lo": float, "hi": float})
    return over_seeds(chosen(frame, FROZEN), ("pair", "contender"))


def test_rows_of_another_arm_or_fitting_are_left_out_and_presets_are_told_apart() -> None:
    keys = [
        {"arm": "frozen", "variant": "robust"},
        {"arm": "frozen", "variant": "paper"},
        {"arm": "finetuned", "variant": "robust"},
        {"arm": "frozen", "variant": "robust", "fitting": "naive"},
        {"arm": "", "fitting": "", "fusion": "majority"},
        {"arm": "frozen", "fusion": "daft"},
        {"arm": "", "fusion": "daft"},
    ]
    rows = pd.DataFrame([result(0.7 + 0.01 * place, "auroc", **key) for place, key in enumerate(keys)])
    found = chosen(rows, FROZEN)
    assert dict(zip(found["contender"], found["value"].round(2), strict=True)) == {
        "lemof": 0.70,
        "lemof|paper": 0.71,
        "majority": 0.74,
        "daft": 0.75,
    }
    assert chosen(rows, Choice("frozen", "oof5", "paper"))["contender"].tolist()[:2] == ["lemof|robust", "lemof"]


def test_means_and_ranks_are_over_the_settings_that_all_share() -> None:
    found = compare(
        wide(scores(lemof={"ax": 0.70, "bx": 0.72}, daft={"ax": 0.70, "bx": 0.60}, late={"bx": 0.9}), "pair"),
        PAPER,
        ORDER,
    )
    assert (found.settings, found.n_measured, found.n_ranked) == (["a|x", "b|x"], 2, 2)
    lemof, daft, mmtm, late = (found.rows.loc[name] for name in ("lemof", "daft", "mmtm", "late"))
    assert (lemof["measured"], lemof["measured_rank"]) == pytest.approx((0.71, 1.25)), "a tie is one and a half"
    assert (daft["measured_lo"], daft["measured_hi"]) == pytest.approx((0.60, 0.70))
    assert (lemof["printed"], lemof["printed_rank"]) == pytest.approx((0.68, 1.5)), "printed: of the same two pairs"
    assert mmtm["measured"] != mmtm["measured"] and mmtm["printed"] == pytest.approx(0.62)
    assert (late["measured"], late["n_settings"], late["ranked"]) == (0.9, 1, False)
    assert late["measured_rank"] != late["measured_rank"]


def test_a_pair_that_one_method_lacks_counts_for_none() -> None:
    table = wide(scores(lemof={"ax": 0.7, "bx": 0.9}, daft={"ax": 0.6, "bx": None}), "pair")
    found = compare(table, PAPER, ORDER)
    assert (found.settings, found.n_measured) == (["a|x"], 2)
    assert found.rows.loc["lemof", "measured"] == 0.7


def test_without_any_measurement_the_printed_table_stands_alone() -> None:
    found = compare(pd.DataFrame(), PAPER, ORDER)
    assert (found.settings, found.n_measured, found.n_ranked) == ([], 0, 0)
    assert found.rows["measured"].isna().all()
    assert found.rows["printed"].tolist() == pytest.approx([0.6533, 0.6167, 0.5467], abs=1e-4)


def test_one_pair_is_drawn_with_its_interval_and_several_with_their_range() -> None:
    one = scores(lemof={"ax": 0.70}, daft={"ax": 0.65})
    rows = chart_rows(compare(wide(one, "pair"), PAPER, ORDER), one, "pair").loc["lemof"]
    assert (rows["measured_lo"], rows["measured_hi"]) == pytest.approx((0.69, 0.71))
    two = scores(lemof={"ax": 0.70, "bx": 0.76}, daft={"ax": 0.65, "bx": 0.66})
    rows = chart_rows(compare(wide(two, "pair"), PAPER, ORDER), two, "pair").loc["lemof"]
    assert (rows["measured_lo"], rows["measured_hi"]) == pytest.approx((0.70, 0.76))
    assert rows["text"] == "0.730 (0.680)"


def test_the_marks_stand_where_the_numbers_are_and_limits_are_named() -> None:
    one = scores(lemof={"ax": 0.70, "bx": 0.76}, daft={"ax": 0.65, "bx": 0.66})
    found = compare(wide(one, "pair"), PAPER, ORDER)
    figure = beside(chart_rows(found, one, "pair"), x_title="AUROC", lines={"p_x": 0.83})
    measured, paper = figure.data
    assert measured.x.tolist() == pytest.approx([0.73, 0.655]), "what is not measured has no mark"
    assert paper.x.tolist() == pytest.approx([0.68, 0.675, 0.62])
    assert measured.error_x.array.tolist() == pytest.approx([0.03, 0.005])
    assert [line.x0 for line in figure.layout.shapes] == [0.83]
    words = [note.text for note in figure.layout.annotations]
    assert "p_x" in words and "0.730 (0.680)" in words
    ranked = beside(rank_rows(found), x_title="Mean rank", ranks=3)
    assert ranked.data[0].x.tolist() == [1.0, 2.0] and list(ranked.layout.xaxis.range) == [0.5, 3.5]


def test_a_mean_over_fewer_pairs_is_not_drawn_beside_the_others() -> None:
    found_in = scores(
        lemof={"ax": 0.7, "bx": 0.6}, daft={"ax": 0.6, "bx": 0.5}, early={"ax": 0.9}, late={"ax": 0.5, "bx": 0.4}
    )
    found = compare(wide(found_in, "pair"), PAPER, ORDER)
    assert list(chart_rows(found, found_in, "pair")["label"]) == ["LeMoF", "DAFT", "MMTM", "Late mean"]
    table = means_table(found, PAPER, {"lemof": 1.0, "daft": 2.0, "mmtm": 3.0}, "pair").set_index("Method")
    assert table.loc["Early fusion", ["Measured", "Pairs"]].tolist() == ["0.900", "1"]


def test_tables_show_measured_and_printed_and_every_gap() -> None:
    one = scores(lemof={"ax": 0.70, "bx": None}, daft={"ax": 0.65, "bx": 0.66})
    table = wide(one, "pair")
    found = compare(table, PAPER, ORDER)
    means = means_table(found, PAPER, {"lemof": 1.11, "daft": 2.0, "mmtm": 2.5}, "pair").set_index("Method")
    assert means.loc["LeMoF", ["Measured", "Printed, same", "Printed, all"]].tolist() == ["0.700", "0.660", "0.653"]
    assert means.loc["LeMoF", "Rank as printed"] == "1.11"
    assert means.loc["MMTM", "Measured"] == "–"
    every = settings_table(table, PAPER, ORDER, "pair", pair_label).set_index("Pair")
    assert every.loc["a + x"].tolist() == ["0.700 (0.660)", "0.650 (0.640)", "– (0.640)"]
    assert every.loc["c + x", "LeMoF"] == "– (0.600)"
    numbers = numbers_table(one, PAPER, "pair", pair_label)
    assert numbers["Measured"].tolist() == pytest.approx([0.70, float("nan"), 0.65, 0.66], nan_ok=True)
    assert numbers.loc[0, ["95 %", "Seeds", "n", "Printed"]].tolist() == ["0.690–0.710", "0", 10_000, 0.66]
    assert numbers.loc[1, ["95 %", "Lowest–highest seed", "Printed"]].tolist() == ["–", "–", 0.70]


def test_differences_are_counted_by_rival_and_clear_only_without_zero() -> None:
    rows = [("daft", 0.02, 0.01, 0.03), ("daft", 0.01, -0.01, 0.03), ("late", -0.02, -0.03, -0.01)]
    found = pd.DataFrame(rows, columns=["contender", "value", "lo", "hi"])
    table = summary(found).set_index("Rival")
    assert table.loc["DAFT"].tolist() == ["+0.015", 2, 1, 0, 2]
    assert table.loc["Late mean"].tolist() == ["−0.020", 0, 0, 1, 1]
    shown = forest_rows(found)
    assert shown["strong"].tolist() == [True, False, True]
    assert shown.loc[1, "text"] == "+0.010 [−0.010 to +0.030]"


def test_a_ladders_labels_hold_what_tells_its_rows_apart() -> None:
    def labels(*keys: dict[str, str]) -> list[str]:
        rows = pd.DataFrame([result(0.7, "auroc", **key) for key in keys])
        rows = rows.assign(pair=rows["ecg_encoder"] + "|" + rows["ehr_encoder"])
        parts = ("stratum", "pair", "fusion", "variant", "arm", "fitting")
        return ladder_rows(over_seeds(rows, parts))["label"].tolist()

    assert labels({"variant": "paper"}, {"variant": "robust"}) == ["paper", "robust"]
    assert labels({"fitting": "naive"}, {"fitting": "oof5"}) == ["fitting naive", "fitting oof5"]
    assert labels({"stratum": "t0=24 cut=72"}, {"stratum": "t0=12 cut=72"}) == [
        "At 24 h, cut 72 h",
        "At 12 h, cut 72 h",
    ]
    assert labels({"variant": "robust"}) == ["LeMoF robust"]
    assert labels({"variant": "paper"}, {"fusion": "level_mean"}) == ["LeMoF paper", "Mean of all levels"]


def test_costs_are_medians_with_their_range() -> None:
    cells = pd.DataFrame(
        {
            "contender": ["daft"] * 3,
            "seconds": [10.0, 40.0, 20.0],
            "n_parameters": [250_000.0] * 3,
            "epochs": [float("nan")] * 3,
        }
    )
    assert cost_table(cells).iloc[0].tolist() == ["DAFT", "3", "20 [10–40]", "250,000", "–"]


def test_what_the_paper_does_not_print_is_a_row_a_contender() -> None:
    rows = [
        result(value, metric, fusion=name, arm="frozen", seed=seed)
        for name, seed, brier in (("lemof", 0, 0.2), ("lemof", 1, 0.22), ("daft", 0, 0.25))
        for metric, value in (("brier", brier), ("cal_slope", 0.9), ("auprc", None), ("auroc", 0.7))
    ]
    table = quality_table(chosen(pd.DataFrame(rows).astype({"value": float}), FROZEN)).set_index("Method")
    assert list(table.columns) == ["Fits", "AUPRC", "Brier", "Calibration slope"]
    assert table.loc["LeMoF"].tolist() == ["2", "–", "0.210 [0.200–0.220]", "0.900"]
    assert table.loc["DAFT", "Brier"] == "0.250"


def test_names_the_page_does_not_know_stand_as_they_are() -> None:
    assert contender_label("daft|multi_level") == "DAFT multi_level"
    assert contender_label("new_fusion") == "new_fusion"
    assert pair_label("|tpc") == "TPC"
