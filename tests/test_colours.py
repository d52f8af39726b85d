"""Colours that carry a meaning in; held apart for eyes without the green cones, by more than a just seen difference."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dashboard.charts.theme import CONTEXT, LOWERS, OKABE_ITO, RAISES

ASSETS = Path(__file__).parents[1] / "assets"
# Machado, Oliveira and Fernandes 2009 (IEEE TVCG 15:6), deuteranopia of severity 1.0, on linear RGB. By hand: nine
# numbers, and the libraries that have them are no longer kept.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # IEC 61966-2-1
WHITE = TO_XYZ.sum(1)
SIGNS = ("raises", "lowers")
APART = 20.0  # CIELAB (1976) units; about 2.3 are just seen side by side, strokes and marks want many times that


def lab(colour: str, *, seen_by: np.ndarray) -> np.ndarray:
    """The CIELAB coordinates (3,) of "#rrggbb" as eyes with that matrix see it."""
    encoded = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(seen_by @ linear, 0, 1) / WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, *, seen_by: np.ndarray = DEUTERANOPIA) -> float:
    return float(np.linalg.norm(lab(one, seen_by=seen_by) - lab(other, seen_by=seen_by)))


def test_red_and_green_that_others_use_are_not_told_apart() -> None:
    """What the measure is for: matplotlib's red and green, far apart for most, are close for a deuteranope."""
    assert apart("#d62728", "#7f7f00", seen_by=np.eye(3)) > 50
    assert apart("#d62728", "#7f7f00") < APART


def test_what_raises_is_told_from_what_lowers_in_figures_in_words_and_on_the_trace() -> None:
    style = {name: (ASSETS / name).read_text(encoding="utf-8") for name in ("case.css", "ecg_paper.css")}
    in_words = [re.findall(rf"\.{kind} {{ color: light-dark\((.*?), (.*?)\)", style["case.css"])[0] for kind in SIGNS]
    on_trace = [re.findall(rf"--{kind}: (#\w+);", style["ecg_paper.css"])[0] for kind in SIGNS]
    pairs = [(RAISES, LOWERS), (RAISES, CONTEXT), tuple(on_trace), *zip(*in_words, strict=True)]
    assert len(pairs) == 5
    assert {(one, other): apart(one, other) for one, other in pairs if apart(one, other) < APART} == {}


@pytest.mark.parametrize(("one", "other"), list(combinations(OKABE_ITO[:6], 2)))
def test_categories_that_stand_together_are_told_apart(one: str, other: str) -> None:
    assert apart(one, other) >= APART / 2
