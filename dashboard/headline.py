"""A run in; what it was made of in a line, and the four figures that open the overview, drawn."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import queries_cohort, queries_results
from dashboard.figures import Figure, figure_row
from dashboard.provenance import outdated_banner, worth_of_numbers
from dashboard.stored_metrics import one_metric
from dashboard.wording import definition_of, estimate, interval


def draw_headline(url: str, revision: str, run: dict[str, Any] | None) -> tuple[int | None, int | None]:
    """Draw the four figures, or say what is missing; return n and events of the test split."""
    if run is None:
        st.info("No run yet: the cohort can be browsed, predictions appear after `lemof train` and `lemof score`.")
        return None, None
    found = queries_results.metrics(url, revision, run["run_id"], "test")
    auroc = one_metric(found, "auroc")
    own = queries_results.metrics(url, revision, run["run_id"], queries_results.HELD_OUT)
    if auroc is None:
        st.info("This run is not evaluated on this store: run `lemof score`, then `lemof evaluate`.")
        return None, None
    n, events = int(auroc["n"]), int(auroc["events"])
    figures = [
        Figure(
            "Stays in the test split",
            f"{n:,}",
            f"{events:,} long",
            f"{100 * events / n:.0f} % stayed longer than {definition_of(run).cut}",
        ),
        _metric("AUROC (ranking; 0.5 is chance)", found, own, "auroc"),
        _metric("Calibration slope (1 is ideal)", found, own, "cal_slope"),
    ]
    share = queries_results.reachable(url, revision, run["run_id"], "test")
    if share is None:
        figures.append(_metric("Brier score (0 is best)", found, own, "brier"))
    else:
        below = f"{share.auroc:.2f} against {share.auroc_truth:.2f} of the true probabilities, n = {share.n:,}"
        beside = interval(share.lo, share.hi)
        figures.append(Figure("Share of the reachable AUROC", f"{share.value:.2f}", beside, below))
    st.html(figure_row(figures))
    outdated_banner(found, *queries_results.scored(url, revision, run["run_id"], "test"), run_id=run["run_id"])
    return n, events


def data_and_run(url: str, revision: str, run: dict[str, Any] | None) -> str:
    """Which data the store holds, which run is looked at, and what numbers on such data can mean."""
    datasets = queries_cohort.datasets(url, revision)
    names = ", ".join(datasets["name"])
    if run is None:
        return f"Data: {names}. No run."
    others = len(queries_results.runs(url, revision)) - 1
    also = f", one of {others + 1} runs" if others else ""
    made_of = f"{run['ecg_encoder']} and {run['ehr_encoder']}, {run['fusion']}{also}"
    return f"Data: {names}. Run {run['run_id']}: {made_of}. {worth_of_numbers(run, datasets)}"


def _metric(label: str, found: Any, own: Any, name: str) -> Figure:
    one, brought = (one_metric(some, name) for some in (found, own))
    below = f"this store's test split, n = {one['n']:,}" if one else ""
    if brought:
        said = estimate(brought["value"], brought["lo"], brought["hi"], brought["note"])
        below = f"here, n = {one['n'] if one else 0:,}; in its own test {said}, n = {brought['n']:,}"
    if one is None or one["value"] != one["value"]:
        return Figure(label, "–", "", one["note"] if one else "not evaluated")
    return Figure(label, f"{one['value']:.2f}", interval(one["lo"], one["hi"]), below)
