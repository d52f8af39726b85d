"""A run, a split and a count in; the frame of a page of results drawn: its style, its warnings, its footer."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.data_worth import worth_of_numbers as worth_of_numbers
from dashboard.split_use import in_sample
from dashboard.stored_metrics import outdated
from dashboard.wording import definition_of, recipe

_STYLE = Path(__file__).resolve().parents[1] / "assets" / "results.css"


def style() -> None:
    """The classes of `results.css` can be used on the page."""
    st.html(_STYLE)


def no_run(title: str) -> None:
    """The page says that there is no run, what to do, and stops."""
    st.title(title)
    st.info("This store holds no run yet, so there is nothing to show. Fit one:")
    st.code(
        "lemof train       # fit a run on this store\nlemof score       # predict and explain every sample",
        language=None,
    )
    st.stop()


def no_cohort(title: str) -> None:
    """The page says that the store does not hold what the cohort is defined by, what to do, and stops."""
    st.title(title)
    st.info("This store does not say yet what its cohort predicts. Read the raw folders (again):")
    st.code("lemof ingest --ehr DIR --ecg DIR", language=None)
    st.stop()


def not_scored(title: str) -> None:
    """The page says that the run has predicted nobody here, what to do, and stops."""
    st.title(title)
    st.info("This run has not scored the samples of this store, so there are no predictions to show.")
    st.code("lemof score       # predict and explain every sample", language=None)
    st.stop()


def in_sample_banner(run: dict[str, Any], split: str) -> None:
    """A strong note stands on the page where the patients of the split taught the run."""
    taught = in_sample(run["fitting"], split)
    if taught is not None:
        st.html(
            '<div class="lemof-banner lemof-banner-strong" role="note" data-testid="in-sample-banner">In-sample: '
            f"{html.escape(taught)} These numbers are better than what to expect from new patients.</div>"
        )


def outdated_banner(
    found: pd.DataFrame, n: int, events: int, *, run_id: str, split: str = "test", deaths: str = "with"
) -> None:
    """A warning stands on the page where stored metrics are not of the stays scored by now: arguments of `outdated`."""
    told = outdated(found, n, events, run_id=run_id, split=split, deaths=deaths)
    if told:
        st.warning(told)


def footer(
    run: dict[str, Any] | None, split: str | None = None, n: int | None = None, events: int | None = None
) -> None:
    """The page ends with the run, what it predicts, the split and the n that its numbers come from."""
    if run is None:
        return
    defined = definition_of(run)
    parts = [
        f"Run {run['run_id']}",
        recipe(run),
        f"fitted {run['created_at']:%Y-%m-%d %H:%M} UTC",
        f"{defined.label}, predicted at {defined.t0}",
    ]
    if split is not None:
        parts.append(f"{split} split")
    if n is not None:
        parts.append(f"n = {n:,}" + ("" if events is None else f", {events:,} long"))
    text = html.escape(" · ".join(parts))
    run_id = html.escape(str(run["run_id"]), quote=True)
    st.html(f'<footer class="lemof-provenance" data-testid="provenance" data-run="{run_id}">{text}</footer>')
