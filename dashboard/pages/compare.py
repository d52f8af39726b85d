"""`/compare?a=RUN&b=RUN`: two runs on the stays that both have scored: metrics, verdicts, groups and single cases."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import queries_cohort, queries_run_pairs
from dashboard.compare_case import draw_case
from dashboard.compare_churn import draw_churn
from dashboard.compare_metrics import draw_metrics, numbers, verdicts
from dashboard.compare_pairs import choose_cuts, paired
from dashboard.compare_runs import TITLE, Run, choose_runs, left_out_words, stop_where_alike_or_apart, worst_of
from dashboard.compare_slices import draw_slices
from dashboard.population import choose
from dashboard.provenance import footer, in_sample_banner, no_run, style, worth_of_numbers
from dashboard.session import banners, selected_run, stamp
from dashboard.split_use import in_sample
from dashboard.wording import definition_of

ASSETS = Path(__file__).parents[2] / "assets"


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    selected = selected_run()
    top = st.empty()
    with top.container():
        banners(selected)
    style()
    st.html(ASSETS / "case.css")
    st.html(ASSETS / "compare.css")
    if selected is None:
        no_run(TITLE)
        return
    st.title(TITLE)
    first, second = choose_runs(url, revision, selected)
    with top.container():
        banners(worst_of(first, second))
    stop_where_alike_or_apart(url, revision, first, second)
    _compared(url, revision, first, second)


def _compared(url: str, revision: str, first: Run, second: Run) -> None:
    """Draw everything of two runs that predict the same."""
    ids = str(first["run_id"]), str(second["run_id"])
    defined = definition_of(first)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom", key="compare-controls"):
        population = choose(url, revision, ids[0], defined)
        cuts = choose_cuts(url, revision, first, second)
    in_sample_banner(first, population.split)
    if in_sample(second["fitting"], population.split) != in_sample(first["fitting"], population.split):
        in_sample_banner(second, population.split)
    worth = worth_of_numbers(worst_of(first, second), queries_cohort.datasets(url, revision))
    of_both = [queries_run_pairs.shared_splits(url, revision, *order) for order in (ids, ids[::-1])]
    left_out = left_out_words(of_both[0], of_both[1], population.split)
    if worth or left_out:
        st.caption(" ".join(filter(None, (worth, left_out))))
    pair = paired(population, url, revision, first, second, cuts)
    if not pair.n:
        st.info(
            f"A and B share no stay of the {population.split} split with a known outcome: what one run was tested on, "
            "the other has not scored or was fitted with. Choose another split or another run."
        )
        st.stop()
    draw_metrics(pair, revision)
    draw_churn(pair, numbers(pair, revision), verdicts(pair, revision), defined)
    draw_slices(pair, revision)
    draw_case(url, revision, pair)
    for run in (first, second):
        footer(run, population.split, pair.n, pair.events)


main()
