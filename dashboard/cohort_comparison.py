"""Two saved cohorts as the browser counts them in; the rows of their comparison, the most different first, out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from dashboard.cohort_filters import QUALITY, RACES, SEXES, outcome_words
from dashboard.wording import Definition, care_unit
from lemof_core.evaluation.balance import Difference, mean_and_sd, of_means, of_shares

COLUMNS = ["kind", "characteristic", "first", "second", "difference", "lo", "hi", "standardised"]


def compared(browser: Browser, asked: tuple[Filters, Filters], defined: Definition) -> pd.DataFrame:
    """One row per characteristic: kind (facet, or "age"), characteristic in words, first and second as they are said
    (41 (32 %), or a mean), the difference with its interval (of shares in per cent, of age in years), and the
    standardised difference; by its size, the largest first. The frame has COLUMNS.
    """
    rows = [_age_row(browser.ages(asked[0]), browser.ages(asked[1]))]
    n = (browser.count(asked[0]), browser.count(asked[1]))
    for facet, words in _facets(defined).items():
        counts = [browser.counts(one, facet) for one in asked]
        # Of stays outside the cohort some facets are unknown: the share is of those that have a value.
        known = n if facet == "disease" else (sum(counts[0].values()), sum(counts[1].values()))
        for value in dict.fromkeys((*counts[0], *counts[1])):
            k = (counts[0].get(value, 0), counts[1].get(value, 0))
            found = of_shares(k[0], known[0], k[1], known[1])
            said = (_share(k[0], known[0]), _share(k[1], known[1]))
            rows.append(_row(facet, words(value), said, found, 100))
    frame = pd.DataFrame(rows, columns=COLUMNS)
    size = frame["standardised"].astype(float).abs()
    return frame.loc[size.sort_values(ascending=False, kind="stable", na_position="last").index].reset_index(drop=True)


def _facets(defined: Definition) -> dict[str, Callable[[str], str]]:
    outcomes = outcome_words(defined)
    return {
        "outcome": lambda value: outcomes[value],
        "sex": lambda value: SEXES[value],
        "race": lambda value: RACES[value] if value in ("other", "unknown") else f"Race: {RACES[value].lower()}",
        "unit": care_unit,
        "disease": str.capitalize,
        "quality": lambda value: f"ECG: {QUALITY[value].lower()}",
        "split": lambda value: f"{value} split",
    }


def _age_row(first: dict[int, int], second: dict[int, int]) -> tuple[Any, ...]:
    said = []
    for counts in (first, second):
        found = mean_and_sd(counts)
        said.append(f"{found[0]:.1f} ± {found[1]:.1f}" if found else "not estimable")
    return _row("age", "Age in years, mean ± SD", (said[0], said[1]), of_means(first, second), 1)


def _row(kind: str, words: str, said: tuple[str, str], found: Difference, times: float) -> tuple[Any, ...]:
    numbers = [None if one is None else times * one for one in (found.value, found.lo, found.hi)]
    return (kind, words, *said, *numbers, found.standardised)


def _share(k: int, n: int) -> str:
    return f"{k:,} ({100 * k / n:.0f} %)" if n else "–"
