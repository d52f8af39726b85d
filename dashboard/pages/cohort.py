"""`/cohort`: every stay, filtered by the facets in the side panel; a row or a link opens its case."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Any

import streamlit as st

from cohort_db.browse import Browser
from cohort_db.stay_filters import Filters
from cohort_db.tally import Tally
from dashboard import queries_cohort, queries_results
from dashboard.cohort_facets import KEYS, URL, Facets, without
from dashboard.cohort_filters import SORTS, in_words
from dashboard.cohort_return import CASE, COHORT, case_query, come_back, leave_for
from dashboard.cohort_save import cohort_asked, draw_save
from dashboard.cohort_table import ROWS, draw_table
from dashboard.facet_brush import Scale
from dashboard.provenance import footer, no_cohort, style
from dashboard.session import banners, forget_what_the_link_does_not_say, selected_run, stamp
from dashboard.stay_list import StayList
from dashboard.threshold_paths import tuned_thresholds
from dashboard.wording import Definition, literal

_NOT_KNOWN = "cohort_link_not_known"  # what the last link asked for and is not here, and the filters that it came to


def main() -> None:
    """Draw the page."""
    url, revision = stamp()
    run = selected_run()
    banners(run)
    style()
    defined = queries_cohort.definition(url, revision)
    if defined is None:
        no_cohort("Cohort")
        return
    arrived = forget_what_the_link_does_not_say((*KEYS, "sort", COHORT))
    coming_back = come_back(arrived=arrived)
    st.title("Cohort")
    run_id = run["run_id"] if run else None
    browser = queries_cohort.browser(run_id)
    attrition = queries_cohort.attrition(url, revision)
    rules: dict[str, str] = dict(zip(attrition["rule"], attrition["label"], strict=True))
    rules = {rule: label for rule, label in rules.items() if rule in browser.values("rule")}
    tuned: dict[str, float] = {}
    if run_id is not None:
        tuned = tuned_thresholds(queries_results.fitted(url, revision, run_id)["calibrations"])
    saved = cohort_asked(defined)
    facets = Facets(browser, rules, tuned, defined)
    ends = queries_cohort.age_ends(browser)
    age = Scale(*ends, 1, whole=True) if ends else None
    paths = queries_cohort.paths(url, revision, run_id) if run_id is not None else []
    filters = replace(facets.draw(paths=paths, age=age), cohort=saved.cohort_id if saved else "")
    _not_known(facets.not_known, filters, arrived=arrived)
    counted = queries_cohort.counted(queries_cohort.browse_stamp(run_id), filters)
    facets.draw_counts(filters, counted)
    if coming_back:
        st.rerun()
    names = {saved.cohort_id: saved.name} if saved else {}
    words = in_words(filters, rules, defined, names)
    _count(counted, words, age, *queries_cohort.totals(url, revision))
    _jump(browser, filters, run_id)
    if not counted.n:
        st.info(literal(_why_empty(browser, filters, words)))
    else:
        _table(url, revision, browser, counted.n, filters, run_id, rules, defined)
    footer(run)


def _not_known(asked: list[str], filters: Filters, *, arrived: bool) -> None:
    """A warning stands on the page as long as it shows what a link led to that asks for more than this store has: the
    URL loses them at once, and more stays are shown than the link meant."""
    if asked or arrived:
        st.session_state[_NOT_KNOWN] = (asked, filters)
    told, shown = st.session_state.get(_NOT_KNOWN, ([], None))
    if told and shown == filters:
        st.warning(f"The link asks for what is not in this store, and that is left out: {literal('; '.join(told))}.")


def _count(counted: Tally, words: dict[str, str], age: Scale | None, inside: int, out: int) -> None:
    """Draw how many stays are left, and each filter as a button that removes it."""
    st.html(
        f'<div class="lemof-count" data-testid="cohort-count"><b>{counted.n:,}</b> of {inside + out:,} stays; '
        f"{inside:,} are in the study cohort</div>"
        '<div class="lemof-phone">The filters are in the panel behind the arrows at the top.</div>'
    )
    if not queries_cohort.counts_are_current(stamp()[0]):
        st.caption("Counted before an ingest that is under way or was cut off: `lemof ingest` counts anew at its end.")
    if not words:
        return
    with st.container(horizontal=True, key="active-filters", gap="small"):
        for name, text in words.items():
            st.button(
                f"{literal(text)} ×",
                key=f"remove-{name}",
                help="Remove this filter",
                on_click=_reset,
                args=([name], age),
            )
        if len(words) > 1:
            st.button("Remove all", key="remove-all", type="tertiary", on_click=_reset, args=(list(words), age))


def _reset(names: list[str], age: Scale | None) -> None:
    for name in names:
        if name == COHORT:
            st.query_params.pop(COHORT, None)
        else:
            st.session_state[name] = without(name, age)


def _jump(browser: Browser, filters: Filters, run_id: str | None) -> None:
    """Draw a link to the case where the id searched for is whole."""
    if not re.fullmatch(r"[1-9][0-9]{0,17}", filters.q):
        return
    for stay_id in browser.of_id(int(filters.q))[:5]:
        st.page_link(CASE, label=f"Open stay {stay_id} →", query_params=case_query(stay_id, run_id))


def _why_empty(browser: Browser, filters: Filters, words: dict[str, str]) -> str:
    """Which one filter, taken away, would leave somebody."""
    left = {name: browser.count(filters.without(name)) for name in words}
    helped = [f"{n:,} without “{words[name]}”" for name, n in left.items() if n]
    told = (
        f" There are {', '.join(helped)}: remove one above." if helped else " Taking one away does not help: take more."
    )
    return f"No stay satisfies all of these filters.{told if len(words) > 1 else ' Remove it above.'}"


def _table(
    url: str,
    revision: str,
    browser: Browser,
    n: int,
    filters: Filters,
    run_id: str | None,
    rules: dict[str, str],
    defined: Definition,
) -> None:
    """Draw order, pages and table; open the case of a row that was chosen."""
    scored = run_id is not None and bool(queries_cohort.paths(url, revision, run_id))
    offered = [name for name in SORTS if scored or name not in ("p_high", "p_low", "error")]
    n_pages = -(-n // ROWS)
    with st.container(horizontal=True, vertical_alignment="bottom", key="order"):
        by = st.selectbox("Order", offered, format_func=SORTS.__getitem__, key="sort", width=240, **URL) or "id"
        # With other stays or another order, page 3 is another page: it starts at 1 again.
        page_key = "page-" + hashlib.sha256(f"{filters}{by}".encode()).hexdigest()[:12]
        number = st.pagination(n_pages, key=page_key) if n_pages > 1 else 1
        draw_save(filters, run_id, n)
    page = browser.page(filters, by, offset=(number - 1) * ROWS, limit=ROWS)
    written = StayList(filters, by).written()
    t0_s = round(defined.t0_hours * 3600)  # of all, as stays outside the cohort have no t0 of their own
    lines = queries_cohort.sparklines(url, revision, tuple(int(stay) for stay in page["stay_id"]), t0_s)
    state: Any = f"{filters}{by}{number}"
    stay_id = draw_table(page, lines, run_id, written, rules, defined, state)
    if stay_id is not None:
        leave_for(stay_id, run_id, written, (*KEYS, "sort", page_key))


main()
