"""Values, attributions and intervals of one patient in; the flowsheet and its lanes are held to them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from case_support import VARIABLES, charted, judge

from dashboard.case_trends import ALL, STRONGEST, choose_names, shown_window, trend_rows
from dashboard.charts.lanes import choose_lanes, lane_traces
from dashboard.charts.theme import ACCENT, CONTEXT, LOWERS, RAISES
from dashboard.charts.trend_row import TrendRow
from dashboard.charts.trends import trends_figure


def row(name: str = "lactate", attribution: float | None = 0.3) -> TrendRow:
    return TrendRow(name, "Lactate", "mmol/L", "Acid-base", 1, 0.5, 2.0, "4.1 mmol/L H", attribution)


def flowsheet(values: pd.DataFrame, window: tuple[float, float] = (-6, 48), **more: Any) -> Any:
    return trends_figure([row()], values, [], t0_h=24.0, window=window, **more)


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
    assert "not seen by the model" in unseen.hovertemplate and "not seen by the model" not in seen.hovertemplate
    said = [text for text in unseen.customdata if text]
    assert "stored only after the prediction" in said[1] and "before the model's window" in said[0]


def test_no_line_joins_unseen_values_across_the_window_that_the_model_saw() -> None:
    unseen = flowsheet(judge(LACTATES)).data[1]
    joined = [
        (a, b) for a, b in pairwise(unseen.x) if not (pd.isna(a) or pd.isna(b))
    ]  # fmt: skip
    assert joined == [(26, 30)]


def test_abnormal_points_differ_in_shape_and_letter_not_only_in_colour() -> None:
    seen = flowsheet(judge(LACTATES)).data[0]
    assert list(seen.text) == ["", "H", "HH"]  # 4.1 is beyond the critical limit of 4
    assert len(set(seen.marker.symbol)) == len(set(seen.marker.size)) == 3
    assert list(seen.marker.color) == [ACCENT, RAISES, RAISES]
    assert [told.partition(",")[0] for told in seen.customdata[1:]] == ["H", "HH"]


def test_letters_of_dense_values_are_thinned_but_every_abnormal_point_keeps_its_shape() -> None:
    dense = charted(*(("lactate", n / 60, 3.0) for n in range(600)))
    seen = flowsheet(judge(dense)).data[0]
    assert 0 < sum(bool(letter) for letter in seen.text) < 60
    assert set(seen.marker.symbol) == {5}


def test_where_letters_are_thinned_the_critical_ones_stay_and_none_stands_on_another() -> None:
    values = judge(charted(*(("lactate", n / 60, 5.0 if n == 31 else 0.4 if n % 2 else 3.0) for n in range(120))))
    seen = flowsheet(values, window=(0, 45)).data[0]
    at = {
        letter: [x for x, text in zip(seen.x, seen.text, strict=True) if text == letter] for letter in ("HH", "H", "L")
    }
    assert at["HH"] == [pytest.approx(31 / 60, abs=0.01)] and at["H"] and at["L"]
    highs = sorted(at["HH"] + at["H"])
    assert min(b - a for a, b in pairwise(highs)) >= 0.49


def test_hours_without_a_value_are_ticks_under_the_row_and_counted_in_words() -> None:
    values = judge(LACTATES)
    missing = {"lactate": [float(hour) for hour in range(24) if hour not in (1, 6, 12)]}
    (sparse,) = trend_rows(["lactate"], VARIABLES, {}, {}, "M", missing=missing)
    figure = trends_figure([sparse], values, [], t0_h=24.0, window=(-6, 48))
    (ticks,) = (trace for trace in figure.data if trace.marker.symbol == "line-ns")
    assert list(ticks.x) == [hour + 0.5 for hour in missing["lactate"]]
    low = figure.layout.yaxis.range[0]
    assert low < ticks.y[0] < min(trace.y[0] for trace in figure.data if trace is not ticks)
    assert any(note.text == "no value in 21 of 24 h" for note in figure.layout.annotations)
    every = trends_figure([replace(sparse, missing=())], values, [], t0_h=24.0, window=(-6, 48))
    assert not any(trace.marker.symbol == "line-ns" for trace in every.data)
    assert not any("no value" in note.text for note in every.layout.annotations)


def test_a_linked_row_has_a_frame_around_it_and_no_other_row_has_one() -> None:
    names = ["map", "lactate"]
    values = judge(charted(("map", 1, 80), ("lactate", 1, 1)))
    rows = trend_rows(names, VARIABLES, {}, {}, "F", linked="lactate")
    figure = trends_figure(rows, values, [], t0_h=24.0, window=(0, 48))
    (frame,) = (shape for shape in figure.layout.shapes if shape.name == "linked")
    above, own = figure.layout.yaxis.domain, figure.layout.yaxis2.domain
    assert frame.y0 <= own[0] < own[1] <= frame.y1 < above[0]
    assert any(note.text.startswith("<b>Lactate</b>") for note in figure.layout.annotations)
    plain = trends_figure(trend_rows(names, VARIABLES, {}, {}, "F"), values, [], t0_h=24.0, window=(0, 48))
    assert not any(shape.name == "linked" for shape in plain.layout.shapes)


def test_critical_limits_are_lines_where_the_row_reaches_them_and_do_not_flatten_it() -> None:
    def lines(*potassium: float) -> list[float]:
        rows = trend_rows(["potassium"], VARIABLES, {}, {}, "F")
        values = judge(charted(*(("potassium", hour, value) for hour, value in enumerate(potassium))))
        figure = trends_figure(rows, values, [], t0_h=24.0, window=(0, 48))
        return [shape.y0 for shape in figure.layout.shapes if shape.name == "critical"]

    assert lines(4.0, 4.1) == []
    assert lines(4.0, 6.5) == [2.8, 6.2]
    assert lines(4.0, 5.6) == []


def test_a_zoomed_chart_shows_its_hours_but_lets_lines_run_on_and_stays_within_all_of_them() -> None:
    figure = flowsheet(judge(LACTATES), window=(7, 11), full=(-6, 48))
    assert tuple(figure.layout.xaxis.range) == (7, 11)
    assert (figure.layout.xaxis.minallowed, figure.layout.xaxis.maxallowed) == (-6, 48)
    assert list(figure.data[0].x) == [1, 6, 12]  # no value between 7 and 11, yet the line passes
    assert figure.layout.dragmode == "zoom" and figure.layout.yaxis.fixedrange


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
    band = [shape for shape in figure.layout.shapes if shape.name == "reference"]
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


def test_a_linked_variable_has_a_row_in_every_choice_once_if_it_has_a_value_at_all() -> None:
    valued, weights = set(VARIABLES.index), {"map": -0.5}
    for shown in (STRONGEST, "Vitals", ALL):
        assert choose_names(shown, VARIABLES, valued, weights, "crp").count("crp") == 1
    assert choose_names(STRONGEST, VARIABLES, valued, weights, "map").count("map") == 1
    assert "crp" not in choose_names(ALL, VARIABLES, valued - {"crp"}, weights, "crp")
    assert "age" not in choose_names(ALL, VARIABLES, valued, weights, "age")  # known at admission: no row over time


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


@pytest.mark.parametrize(("t0_h", "side"), [(12.0, "left"), (40.0, "right")])
def test_the_lines_name_stands_on_the_side_where_there_is_room(t0_h: float, side: str) -> None:
    figure = trends_figure([row()], judge(LACTATES), [], t0_h=t0_h, window=(0, 48))
    (name,) = (note for note in figure.layout.annotations if "prediction at" in note.text)
    assert name.xanchor == side
