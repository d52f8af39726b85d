"""Values, attributions and predictions of one patient in; the case page's figures are held to them."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_support import VARIABLES, charted, judge

from dashboard.case_branches import input_steps
from dashboard.case_trends import STRONGEST, choose_names, shown_window, trend_rows
from dashboard.charts.attention import attention_figure, token_order
from dashboard.charts.lanes import choose_lanes, lane_traces
from dashboard.charts.risk import WIDTH, risk_scale
from dashboard.charts.theme import ACCENT, CONTEXT, LOWERS, RAISES
from dashboard.charts.trends import TrendRow, trends_figure
from dashboard.charts.waterfall import sum_in_words, waterfall


def row(name: str = "lactate", attribution: float | None = 0.3) -> TrendRow:
    return TrendRow(name, "Lactate", "mmol/L", "Acid-base", 1, 0.5, 2.0, "4.1 mmol/L H", attribution)


def flowsheet(values: pd.DataFrame, window: tuple[float, float] = (-6, 48), **more: Any) -> Any:
    return trends_figure([row()], values, [], t0_h=24.0, window=window, **more)


# ---- risk scale ----------------------------------------------------------------------------------------------------


def marks(svg: str, test_id: str) -> dict[str, float]:
    element = re.search(rf'<(?:rect|line) data-testid="{test_id}"[^>]*>', svg)
    assert element
    return {name: float(value) for name, value in re.findall(r'(\w+)="(-?[\d.]+)"', element.group())}


def test_the_scale_is_linear_from_0_to_1_and_says_its_numbers_in_words() -> None:
    at = [marks(risk_scale(p, None, None, base_rate=None, threshold=None), "risk-mark")["x1"] for p in (0, 0.25, 1)]
    assert at[1] - at[0] == pytest.approx((at[2] - at[0]) / 4, abs=0.1)
    assert 0 < at[0] < at[2] < WIDTH
    svg = risk_scale(0.62, 0.54, 0.70, base_rate=0.43, threshold=0.5)
    bar = marks(svg, "risk-interval")
    assert (bar["x"] - at[0]) / (at[2] - at[0]) == pytest.approx(0.54, abs=0.001)
    assert bar["width"] / (at[2] - at[0]) == pytest.approx(0.16, abs=0.001)
    assert "Probability 0.62" in svg and "90 % interval 0.54 to 0.70" in svg
    assert "base rate 0.43" in svg and "threshold 0.50" in svg


def test_without_an_interval_or_a_threshold_none_is_drawn() -> None:
    svg = risk_scale(0.62, None, None, base_rate=0.43, threshold=None)
    assert "risk-interval" not in svg and "threshold" not in svg


# ---- waterfall -----------------------------------------------------------------------------------------------------

BRANCHES = pd.DataFrame(
    {
        "port": ["ecg_1", "ecg_2", "ecg_3", "ehr_1", "ehr_2", "ehr_3", "cross"],
        "phi_logit": [0.2, -0.05, 0.3, -0.4, 0.1, 0.0, 0.25],
        "phi_prob": [0.04, -0.01, 0.06, -0.09, 0.02, 0.0, 0.05],
    }
)


@pytest.mark.parametrize(("scale", "base", "total"), [("log-odds", -0.4, 0.0), ("probability", 0.42, 0.49)])
def test_each_step_begins_where_the_last_one_ended_and_the_last_ends_at_the_prediction(
    scale: Any, base: float, total: float
) -> None:
    figure = waterfall(BRANCHES, base=base, total=total, scale=scale)
    bars, ends = figure.data
    starts, steps = np.array(bars.base), np.array(bars.x)
    assert starts[0] == pytest.approx(base)
    assert starts[1:] == pytest.approx((starts + steps)[:-1])
    assert (starts + steps)[-1] == pytest.approx(total)
    assert list(ends.x) == pytest.approx([base, total])
    assert list(bars.marker.color) == [RAISES if step > 0 else LOWERS for step in steps]


def test_the_stated_sum_can_be_checked_by_hand_and_modalities_sum_their_levels() -> None:
    parts = dict(zip(BRANCHES["port"], BRANCHES["phi_logit"], strict=True))
    words = sum_in_words(-0.4, parts, 0.0)
    assert words == "−0.400 + 0.450 (ECG) − 0.300 (Health record) + 0.250 (cross-modal) = 0.000"


@pytest.mark.parametrize(("t0_h", "side"), [(12.0, "left"), (40.0, "right")])
def test_the_lines_name_stands_on_the_side_where_there_is_room(t0_h: float, side: str) -> None:
    figure = trends_figure([row()], judge(LACTATES), [], t0_h=t0_h, window=(0, 48))
    (name,) = (note for note in figure.layout.annotations if "prediction at" in note.text)
    assert name.xanchor == side


def test_a_patient_without_an_ecg_has_no_ecg_steps() -> None:
    own = BRANCHES.iloc[3:6]
    figure = waterfall(own, base=-0.4, total=-0.7, scale="log-odds")
    assert len(figure.data[0].x) == 3
    assert [note.text for note in figure.layout.annotations] == ["Health<br>record"]


def test_what_the_inputs_did_is_drawn_with_its_error_where_there_is_one() -> None:
    effect = {
        "v_none": -0.4,
        "v_ecg": -0.1,
        "v_ehr": -0.6,
        "v_both": 0.2,
        "se_ecg": 0.1,
        "se_ehr": None,
        "n_background": 16,
    }
    drawn = input_steps(effect)
    assert drawn["phi_logit"].tolist() == pytest.approx([0.3, -0.2, 0.5])
    figure = waterfall(drawn, base=-0.4, total=0.2, scale="log-odds")
    assert list(figure.data[0].text) == ["+0.30 ± 0.10", "−0.20", "+0.50"]
    assert list(figure.layout.yaxis.ticktext)[1:-1] == ["ECG", "Health record", "together"]
    assert not figure.layout.annotations  # nothing to bracket
    words = sum_in_words(-0.4, dict(zip(drawn["port"], drawn["phi_logit"], strict=True)), 0.2)
    assert words == "−0.400 + 0.300 (ECG) − 0.200 (Health record) + 0.500 (together) = 0.200"


# ---- flowsheet -----------------------------------------------------------------------------------------------------

LACTATES = charted(
    ("lactate", -3, 1.0), ("lactate", 1, 1.5), ("lactate", 6, 2.5), ("lactate", 12, 4.1), ("lactate", 20, 0.2, 30),
    ("lactate", 26, 3.0), ("lactate", 30, 1.0),
)  # fmt: skip


def test_what_the_model_did_not_see_is_grey_and_says_so() -> None:
    seen, unseen = flowsheet(judge(LACTATES)).data
    assert list(seen.x) == [1, 6, 12]
    assert seen.line.color == ACCENT
    assert [x for x in unseen.x if x is not None and not np.isnan(x)] == [-3, 20, 26, 30]
    assert unseen.marker.color == CONTEXT and "not seen by the model" in unseen.name
    said = [text for text in unseen.customdata if text]
    assert all("not seen by the model" in text for text in said)
    assert "stored only after the prediction" in said[1] and "before the model's window" in said[0]


def test_no_line_joins_unseen_values_across_the_window_that_the_model_saw() -> None:
    unseen = flowsheet(judge(LACTATES)).data[1]
    joined = [
        (a, b) for a, b in pairwise(unseen.x) if not (pd.isna(a) or pd.isna(b))
    ]  # fmt: skip
    assert joined == [(26, 30)]


def test_abnormal_points_differ_in_shape_and_letter_not_only_in_colour() -> None:
    seen = flowsheet(judge(LACTATES)).data[0]
    assert list(seen.text) == ["", "H", "H"]
    assert seen.marker.symbol[0] != seen.marker.symbol[1]
    assert list(seen.marker.color) == [ACCENT, RAISES, RAISES]


def test_letters_of_dense_values_are_thinned_but_every_abnormal_point_keeps_its_shape() -> None:
    dense = charted(*(("lactate", n / 60, 5.0) for n in range(600)))
    seen = flowsheet(judge(dense)).data[0]
    assert 0 < sum(bool(letter) for letter in seen.text) < 60
    assert set(seen.marker.symbol) == {5}


def test_the_prediction_is_one_line_that_is_named() -> None:
    figure = flowsheet(judge(LACTATES))
    lines = [shape for shape in figure.layout.shapes if shape.type == "line" and shape.x0 == shape.x1 == 24.0]
    assert len(lines) == 1 and (lines[0].y0, lines[0].y1) == (0, 1)
    assert any("prediction at 24 h" in note.text for note in figure.layout.annotations)
    calm = trends_figure([row()], judge(LACTATES, t0_s=None), [], t0_h=None, window=(-6, 48))
    assert not any("prediction" in note.text for note in calm.layout.annotations)
    assert [trace.line.color for trace in calm.data] == [ACCENT]


def test_every_shown_value_lies_inside_its_axis_and_the_band_is_the_reference_range() -> None:
    figure = flowsheet(judge(LACTATES))
    low, high = figure.layout.yaxis.range
    assert low < 0.2 and high > 4.1
    band = [shape for shape in figure.layout.shapes if shape.yref == "y"]
    assert [(shape.y0, shape.y1) for shape in band] == [(0.5, 2.0)]


def test_rows_stand_below_each_other_on_one_time_axis_without_overlap() -> None:
    names = ["heart_rate", "map", "creatinine", "lactate", "potassium"]
    values = judge(charted(*((name, hour, 80.0) for name in names for hour in (1, 5))))
    rows = trend_rows(names, VARIABLES, {}, {"lactate": 0.4, "map": -0.2, "heart_rate": 0.1}, "F")
    assert [one.name for one in rows] == ["map", "heart_rate", "creatinine", "potassium", "lactate"]
    figure = trends_figure(rows, values, [], t0_h=24.0, window=(0, 48))
    axes = [figure.layout[f"yaxis{'' if n == 1 else n}"].domain for n in range(1, 6)]
    assert all(upper[0] > lower[1] for upper, lower in pairwise(axes))
    assert min(axis[0] for axis in axes) >= 0 and max(axis[1] for axis in axes) <= 1
    assert {trace.xaxis for trace in figure.data} <= {None, "x"}


def test_attribution_bars_point_by_sign_and_scale_by_size() -> None:
    rows = [row("lactate", 0.4), row("ph", -0.2)]
    figure = trends_figure(rows, judge(charted(("lactate", 1, 1), ("ph", 1, 7.4))), [], t0_h=24.0, window=(0, 48))
    bars = [shape for shape in figure.layout.shapes if shape.xsizemode == "pixel" and shape.type == "rect"]
    lengths = [bar.x1 - bar.x0 for bar in bars]
    assert lengths[0] == pytest.approx(-2 * lengths[1]) and lengths[0] > 0
    assert [bar.fillcolor for bar in bars] == [RAISES, LOWERS]
    assert {"+0.40", "−0.20"} <= {note.text for note in figure.layout.annotations}


def test_a_figure_of_twelve_dense_variables_stays_small() -> None:
    names = VARIABLES.index[VARIABLES["kind"] == "series"][:12].tolist()
    rng = np.random.default_rng(0)
    values = judge(charted(*((name, float(hour), float(rng.normal(80, 9))) for name in names for hour in range(48))))
    rows = trend_rows(names, VARIABLES, {}, {}, "F")
    figure = trends_figure(rows, values, [], t0_h=24.0, window=(0, 48))
    assert len(figure.data) == 24
    assert len(figure.to_json()) < 60_000


def test_stored_names_cannot_put_markup_into_the_figure() -> None:
    evil = TrendRow("lactate", "<i>label", "<i>unit", "<i>panel", 1, 0.5, 2.0, "<i>latest", 0.1)
    figure = trends_figure([evil], judge(LACTATES), [], t0_h=24.0, window=(0, 48))
    texts = [note.text for note in figure.layout.annotations]
    texts += [text for trace in figure.data for text in (trace.name, trace.hovertemplate)]
    assert any("&lt;i&gt;" in text for text in texts)
    assert not any("<i>" in text for text in texts)


def test_the_strongest_are_chosen_among_variables_that_have_a_value() -> None:
    valued = {"lactate", "map", "sodium"}
    weights = {"crp": 9.0, "map": -0.5, "lactate": 0.2, "sodium": 0.3}
    assert choose_names(STRONGEST, VARIABLES, valued, weights) == ["map", "sodium", "lactate"]
    assert choose_names("Vitals", VARIABLES, valued, weights) == ["map"]


def test_the_time_axis_ends_a_day_after_the_prediction_unless_the_whole_stay_is_asked_for() -> None:
    values = judge(charted(("lactate", -3, 1), ("lactate", 300, 1)))
    assert shown_window(values, [-30.0, 2.0], 24.0, whole=False) == (-3.5, 48.5)
    assert shown_window(values, [-8.0], 24.0, whole=True) == (-8.5, 300.5)


# ---- lanes ---------------------------------------------------------------------------------------------------------


def interval(
    kind: str, label: str, start_h: float, end_h: float | None, rate_unit: str | None = None
) -> dict[str, Any]:
    end = None if end_h is None else round(end_h * 3600)
    rate = None if rate_unit is None else 0.1
    return {
        "kind": kind,
        "start_s": round(start_h * 3600),
        "end_s": end,
        "label": label,
        "rate": rate,
        "rate_unit": rate_unit,
    }


def lanes_of(*rows: dict[str, Any], window: tuple[float, float] = (0, 48), **more: Any) -> Any:
    frame = pd.DataFrame(rows).astype({"end_s": "Int64", "rate": "float64"})
    return choose_lanes(frame, window, **more)


def test_whatever_overlaps_the_window_has_a_lane_also_what_began_before_it_or_never_ended() -> None:
    lanes, _ = lanes_of(
        interval("drug", "Heparin", -5, 2),
        interval("drug", "Propofol", 40, 90),
        interval("procedure", "Ventilation", -5, None),
        interval("drug", "Before", -9, -1),
        interval("drug", "After", 60, 70),
    )
    assert {lane.label for lane in lanes} == {"Heparin", "Propofol", "Ventilation"}
    before, after = lane_traces(lanes, "y2", (0, 48), 24.0)
    spans = {lanes[y].label: (b, b + x) for y, b, x in zip(before["y"], before["base"], before["x"], strict=True)}
    assert spans == {"Heparin": (0, 2), "Ventilation": (0, 24)}
    later = {lanes[y].label: (b, b + x) for y, b, x in zip(after["y"], after["base"], after["x"], strict=True)}
    assert later == {"Ventilation": (24, 48), "Propofol": (40, 48)}
    assert set(after["marker"]["color"]) == {CONTEXT}


def test_pressors_come_before_longer_fluids_and_what_has_no_room_is_named() -> None:
    lanes, left_out = lanes_of(
        interval("drug", "Saline", 0, 40, "mL/hour"),
        interval("drug", "Norepinephrine", 1, 2, "mcg/kg/min"),
        interval("drug", "Heparin", 3, 30, "units/hour"),
        n_drugs=2,
    )
    assert [lane.label for lane in lanes] == ["Norepinephrine", "Saline"]
    assert left_out == ["Heparin"]


def test_a_bolus_of_a_minute_is_still_a_visible_mark() -> None:
    lanes, _ = lanes_of(interval("drug", "Bolus", 5, 5 + 1 / 60))
    assert lane_traces(lanes, "y", (0, 48), 24.0)[0]["x"][0] >= 0.1


# ---- attention -----------------------------------------------------------------------------------------------------


def test_both_maps_have_tokens_down_and_seconds_across() -> None:
    to_ehr = np.array([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1]])
    to_ecg = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]])
    order = token_order(to_ecg, to_ehr, 3)
    assert order == [1, 2, 0]
    figure = attention_figure(to_ehr, to_ecg, (0.0, 5.0, 10.0), ["S", "L", "M"], order, token=1, window=1)
    first, second = (np.array(trace.z) for trace in figure.data)
    assert first == pytest.approx(to_ehr.T[order])
    assert second == pytest.approx(to_ecg[order])
    assert list(figure.layout.yaxis.ticktext) == ["L", "M", "S"] and list(figure.data[0].x) == [2.5, 7.5]
    frames = [(s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes if s.xref == "x"]
    assert frames == [(0.0, 10.0, -0.5, 0.5), (5.0, 10.0, -0.5, 2.5)]
