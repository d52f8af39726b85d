"""What the reader asks of a page of errors: kind of error, thresholds and the settings of the search, from widgets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.threshold_paths import PATHS, start, told
from lemof_core.evaluation.facts import KINDS
from lemof_core.evaluation.losses import LOSSES
from lemof_core.evaluation.slices import RANKS, smallest_slice

URL: dict[str, Any] = {"bind": "query-params"}
DEPTH = 2
SMALLEST = 10


@dataclass(frozen=True)
class Settings:
    """kind: of LOSSES; kinds: of facts; depth, fewest, rank: of `slices.find_slices`; cache_key: what the population is
    known by (store URL, revision, run, fingerprint, thresholds)."""

    kind: str
    kinds: tuple[str, ...]
    depth: int
    fewest: int
    rank: str
    cache_key: tuple[str, str, str, str, tuple[tuple[str, float], ...]]


def choose_error() -> str:
    """Draw the kinds of error; return the key of LOSSES that is chosen. `error` in the URL."""
    chosen = st.segmented_control(
        "Error", list(LOSSES), format_func=LOSSES.__getitem__, default="log", key="error", required=True, **URL
    )
    return str(chosen or "log")


def choose_thresholds(frame: pd.DataFrame, tuned: dict[str, float]) -> dict[str, float]:
    """Draw the threshold of each path that has predictions; return path -> threshold. `at`, `at_ehr` in the URL."""
    keys = {path: key for path, key in (("both", "at"), ("ehr", "at_ehr")) if (frame["path"] == path).any()}
    out = {}
    with st.popover("Thresholds"):
        for path, key in keys.items():
            label, value = f"Threshold {PATHS[path]}", start(tuned, path)
            out[path] = float(st.slider(label, 0.0, 1.0, value, 0.01, key=key, help=told(tuned, path), **URL))
    return out


def choose_search(n: int) -> tuple[tuple[str, ...], int, int, str]:
    """Draw the settings of the search among n stays; return kinds of facts, depth, smallest slice and rank.

    `facts`, `joined`, `fewest` and `rank` in the URL.
    """
    with st.popover("Search"):
        kinds = st.pills(
            "Facts",
            list(KINDS),
            format_func=KINDS.__getitem__,
            selection_mode="multi",
            default=list(KINDS),
            key="facts",
            **URL,
        )
        joined = st.segmented_control(
            "Facts joined, at most", [1, 2, 3], default=DEPTH, key="joined", required=True, **URL
        )
        fewest = st.number_input(
            "Fewest stays in a slice or leaf", SMALLEST, None, max(SMALLEST, smallest_slice(n)), key="fewest", **URL
        )
        rank = st.segmented_control(
            "Slices ranked by",
            list(RANKS),
            format_func=RANKS.__getitem__,
            default="score",
            key="rank",
            required=True,
            help="SliceLine's score weighs the lift against the size of the slice, 0.95 to 0.05",
            **URL,
        )
    return tuple(kinds), int(joined or DEPTH), int(fewest), str(rank or "score")
