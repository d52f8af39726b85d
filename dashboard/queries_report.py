"""What leaves the app as a file: a store URL, its revision and a run in; the cached report and model card out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st

from cohort_db import read_results
from cohort_db.data_hash import hash_of_run
from dashboard.model_card_checklist import NAMES, Checklist, as_document, filled
from dashboard.model_card_facts import card_facts
from dashboard.session import cached_store

if TYPE_CHECKING:
    from dashboard.report.parts import Report

_SAID = ["name", "deaths", "value", "lo", "hi", "n", "events", "note"]


@st.cache_data(max_entries=8, show_spinner=False)
def report_html(url: str, revision: str, run_id: str, split: str, cohort: str | None = None) -> str:
    """The report of the run on a split, or a saved cohort's members in it, as one HTML file.

    Raises: InputMistake where there is nothing to report.
    """
    from dashboard.report.html_page import html

    return html(_report(url, revision, run_id, split, cohort))


@st.cache_data(max_entries=8, show_spinner=False)
def report_pdf(url: str, revision: str, run_id: str, split: str, cohort: str | None = None) -> bytes:
    """The same as a PDF."""
    from dashboard.report.pdf_document import pdf

    return pdf(_report(url, revision, run_id, split, cohort))


@st.cache_data(max_entries=8, show_spinner=False)
def _report(url: str, revision: str, run_id: str, split: str, cohort: str | None) -> Report:
    # Imported when a report is asked for: Matplotlib would cost every first view of the page half a second.
    from dashboard.report.contents import contents, of_cohort

    store = cached_store(url)
    return contents(store, run_id, split) if cohort is None else of_cohort(store, run_id, cohort, split)


@st.cache_data(max_entries=8, show_spinner=False)
def facts(url: str, revision: str, run_id: str) -> dict[str, str]:
    """What the checklists of the model card may say of the run: `model_card_facts.card_facts`."""
    return card_facts(cached_store(url), run_id)


def checklists(url: str, revision: str, run_id: str) -> list[Checklist]:
    """The model card's checklists, filled."""
    return [filled(name, facts(url, revision, run_id)) for name in NAMES]


@st.cache_data(max_entries=8, show_spinner=False)
def card_json(url: str, revision: str, run_id: str) -> str:
    """The filled model card as a JSON text, valid by assets/model_card/schema.json."""
    store = cached_store(url)
    found = read_results.metrics(store, run_id, "test")
    overall = found.loc[(found["source"] == "final") & (found["stratum_kind"] == "all"), _SAID]
    rows = overall.astype(object).where(overall.notna(), None).to_dict("records")
    performance = [{str(key): value for key, value in row.items()} for row in rows]
    known = facts(url, revision, run_id)
    lists = [filled(name, known) for name in NAMES]
    document = as_document(run_id, hash_of_run(store, run_id), known, performance, lists)
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)
