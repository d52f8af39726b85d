"""Values, attributions and predictions of one patient in; the case page's figures are held to them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dashboard.case_branches import input_steps
from dashboard.charts.attention import attention_figure, token_order
from dashboard.charts.risk import WIDTH, risk_scale
from dashboard.charts.theme import LOWERS, RAISES
from dashboard.charts.waterfall import reach, sum_in_words, waterfall

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


def test_two_waterfalls_on_one_axis_draw_as_long_a_step_as_it_is_large() -> None:
    small = BRANCHES.assign(phi_logit=BRANCHES["phi_logit"] / 10)
    totals = ((one, one["phi_logit"].sum() - 0.4) for one in (BRANCHES, small))
    reached = [reach(one, base=-0.4, total=total, scale="log-odds") for one, total in totals]
    starts = np.cumsum([-0.4, *BRANCHES["phi_logit"]])
    assert reached[0] == pytest.approx((starts.min(), starts.max())), "all that the steps pass through"
    assert reached[1][1] - reached[1][0] == pytest.approx((starts.max() - starts.min()) / 10)
    ranges = {
        tuple(waterfall(some, base=-0.4, total=0.0, scale="log-odds", ends=(-1.0, 2.0)).layout.xaxis.range)
        for some in (BRANCHES, small)
    }
    assert ranges == {(-1.75, 2.75)}


def test_the_stated_sum_can_be_checked_by_hand_and_modalities_sum_their_levels() -> None:
    parts = dict(zip(BRANCHES["port"], BRANCHES["phi_logit"], strict=True))
    words = sum_in_words(-0.4, parts, 0.0)
    assert words == "−0.400 + 0.450 (ECG) − 0.300 (Health record) + 0.250 (cross-modal) = 0.000"


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


# ---- attention -----------------------------------------------------------------------------------------------------


def test_both_maps_have_tokens_down_and_seconds_across() -> None:
    to_ehr = np.array([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1]])
    to_ecg = np.array([[0.5, 0.5], [0.1, 0.9], [0.8, 0.2]])
    order = token_order(to_ecg, to_ehr, 3)
    assert order == [1, 2, 0]
    figure = attention_figure(to_ehr, to_ecg, (0.0, 5.0, 10.0), ["S", "L", "M"], order, token=1, window=1)
    first, second = (np.array(trace.z) for trace in figure.data if trace.type == "heatmap")
    cells = [trace for trace in figure.data if trace.type == "scatter"]
    assert len(cells) == 2  # both maps can be clicked
    for trace in cells:
        for x, y, (window, token, _) in zip(trace.x, trace.y, trace.customdata, strict=True):
            assert x == [2.5, 7.5][int(window)] and order[y] == token
    assert [weight for *_, weight in cells[0].customdata] == pytest.approx(first.ravel())
    assert first == pytest.approx(to_ehr.T[order])
    assert second == pytest.approx(to_ecg[order])
    assert list(figure.layout.yaxis.ticktext) == ["L", "M", "S"] and list(figure.data[0].x) == [2.5, 7.5]
    frames = [(s.x0, s.x1, s.y0, s.y1) for s in figure.layout.shapes if s.xref == "x"]
    assert frames == [(0.0, 10.0, -0.5, 0.5), (5.0, 10.0, -0.5, 2.5)]
