"""A browser of stays and filters in, the counts of all facets at once out, in as few passes over the rows as can be.

`Browser` answers each question by itself; a page asks a dozen. Here all facets without a filter of their own are
counted in one pass, probability, error and split in a second one, ages in a third; two run at a time, which SQLite and
PostgreSQL allow each connection. A facet with a filter of its own needs a pass of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cohort_db.browse import CODED, Browser
from cohort_db.stay_filters import Filters

FACETS = (*CODED, "disease", "where")
_AT_ONCE = 2


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
    """The counts of all facets; equal to what `Browser` counts one by one.

    Args:
        scored: whether the run has predictions; without them there is nothing to count of these.
    """
    own = set(filters.active())
    jobs: dict[str, Callable[[], Any]] = {"ages": partial(browser.ages, filters)}
    together = [facet for facet in FACETS if facet not in own and facet != "split"]
    if own <= {"where"}:  # counted before: nothing to pass over
        jobs |= {facet: partial(browser.counts, filters, facet) for facet in together}
        jobs["n"] = partial(browser.count, filters)
    else:
        jobs["together"] = partial(browser.counts_together, filters, together)
    if scored and own.isdisjoint({"p", "error", "split"}):
        jobs["predicted"] = partial(browser.predicted, filters)
    else:
        jobs["split"] = partial(browser.counts, filters, "split")
        if scored:
            jobs |= {of: partial(browser.histogram, filters, of) for of in ("p", "error")}
    alone = [facet for facet in FACETS if facet in own and facet != "split"]
    jobs |= {facet: partial(browser.counts, filters, facet) for facet in alone}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = {name: pool.submit(job) for name, job in jobs.items()}
        found = {name: one.result() for name, one in asked.items()}
    if "together" in found:
        n, counted = found.pop("together")
        found |= {"n": n} | counted
    if "predicted" in found:
        p, error, split = found.pop("predicted")
        found |= {"p": p, "error": error, "split": split}
    by = {facet: found[facet] for facet in FACETS}
    return Tally(found["n"], by, found["ages"], found.get("p"), found.get("error"))
