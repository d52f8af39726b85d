"""A window on the ECG: what is attributed inside it, by hand, and where it lies in the model's ten seconds."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from case_support import LEADS

from dashboard.case_window import on_model_time, window_attribution
from dashboard.queries_case import Explained, Waveform


def explained(saliency: np.ndarray) -> Explained:
    return Explained({}, saliency, LEADS, 0.04, 1.0, 0.0, "")


def test_the_whole_record_holds_the_whole_attribution_and_parts_sum_to_it() -> None:
    saliency = np.random.default_rng(0).normal(size=(12, 250))
    found = explained(saliency)
    assert window_attribution(found, (0.0, 10.0), "V2") == pytest.approx((saliency[7].sum(), saliency.sum()))
    cuts = [0.0, 1.013, 4.4, 4.41, 10.0]
    parts = [window_attribution(found, (a, b), "II") for a, b in pairwise(cuts)]
    np.testing.assert_allclose(np.sum(parts, axis=0), (saliency[1].sum(), saliency.sum()), atol=1e-9)


def test_a_bin_counts_by_its_overlap() -> None:
    saliency = np.zeros((12, 250))
    saliency[0, 25] = 1.0  # 1.00 to 1.04 s of lead I
    assert window_attribution(explained(saliency), (1.01, 1.02), "I") == pytest.approx((0.25, 0.25))
    assert window_attribution(explained(saliency), (1.04, 2.0), "I") == pytest.approx((0.0, 0.0))


@pytest.mark.parametrize(
    ("seconds", "window", "expected"),
    [
        (10.0, (1.0, 1.8), (1.0, 1.8)),
        (60.0, (26.0, 27.0), (1.0, 2.0)),  # of a minute the model read seconds 25 to 35
        (60.0, (20.0, 26.0), (0.0, 1.0)),
        (60.0, (1.0, 2.0), None),
        (10.0, (3.0, 3.01), None),
    ],
)
def test_the_window_is_told_in_the_seconds_that_the_model_read(
    seconds: float, window: tuple[float, float], expected: tuple[float, float] | None
) -> None:
    record = Waveform(np.zeros((12, round(seconds * 100))), 100.0, LEADS)
    assert on_model_time(window, record) == (None if expected is None else pytest.approx(expected))
