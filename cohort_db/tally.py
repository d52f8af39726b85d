"""A browser of stays and filters in, what all facets show of them at once out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cohort_db.browse import CODED, Browser
from cohort_db.stay_filters import Filters

FACETS = (*CODED, "disease", "where")


@dataclass(frozen=True)
class Tally:
    """What the facets show of the stays that satisfy the filters: `n` of them; value -> stays by facet of FACETS,
    age -> stays, and parts of [0, 1] of the probability and of the error (None without predictions). A facet's own
    filter never counts in it."""

    n: int
    by: dict[str, dict[str, int]]
    ages: dict[int, int]
    p: NDArray[np.int64] | None
    error: NDArray[np.int64] | None


def tally(browser: Browser, filters: Filters, *, scored: bool) -> Tally:
    """The counts of all facets.

    Args:
        scored: whether the run has predictions; without them there is nothing to count of these.
    """
    p, error = (browser.histogram(filters, of) if scored else None for of in ("p", "error"))
    by = {facet: browser.counts(filters, facet) for facet in FACETS}
    return Tally(browser.count(filters), by, browser.ages(filters), p, error)
