"""A run in; the buttons that give its report and its card as files, and the checklists with their gaps, drawn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_report
from dashboard.model_card_checklist import Checklist
from dashboard.plain_table import plain_table
from dashboard.wording import literal

_STYLE = Path(__file__).resolve().parents[1] / "assets" / "checklist.css"
URL: dict[str, Any] = {"bind": "query-params"}
SPLIT = "test"


def draw_downloads(url: str, revision: str, run_id: str, *, evaluated: bool) -> None:
    """The report as HTML and PDF where the run is evaluated, and the card as JSON, each made when asked for."""
    arguments = (url, revision, run_id)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="take-along"):
        if evaluated:
            for label, make, suffix, mime in (
                ("Report (HTML)", queries_report.report_html, "html", "text/html"),
                ("Report (PDF)", queries_report.report_pdf, "pdf", "application/pdf"),
            ):
                data = partial(make, *arguments, SPLIT)
                name = f"lemof-{run_id}-{SPLIT}.{suffix}"
                st.download_button(label, data, name, mime, on_click="ignore", key=f"report-{suffix}")
        data = partial(queries_report.card_json, *arguments)
        name = f"lemof-{run_id}-card.json"
        st.download_button("Card (JSON)", data, name, "application/json", on_click="ignore", key="card-json")
        if evaluated:
            st.caption("One file each, opens offline, names no patient.")
        else:
            st.caption("A report needs `lemof score`, then `lemof evaluate`.")


def draw_checklists(url: str, revision: str, run_id: str) -> None:
    """One checklist at a time with its counts; gaps stand as gaps."""
    lists = {one.name: one for one in queries_report.checklists(url, revision, run_id)}
    first = next(iter(lists))
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        name = st.segmented_control("Checklist", list(lists), default=first, key="checklist", required=True, **URL)
        gaps = st.toggle("Only what is not provided", key="only_gaps", **URL)
    chosen = lists[str(name or first)]
    st.markdown(f"**{chosen.name}: {chosen.counts}**")
    st.caption(literal(chosen.about))
    table = checklist_table(chosen, only_gaps=gaps)
    if table.empty:
        st.info("Everything that this list asks for is provided.")
        return
    st.html(_STYLE)
    st.html(
        f'<div class="lemof-checklist" data-testid="checklist">{plain_table(table, words=list(table.columns))}</div>'
    )


def checklist_table(chosen: Checklist, *, only_gaps: bool = False) -> pd.DataFrame:
    """One row per item: item, what it asks, the answer, and what is not provided."""
    rows = [
        {
            "Item": f"{item.id} {item.section}" if item.id[:1].isdigit() else item.section,
            "Asks": item.asks,
            "Answer": item.answer or "–",
            "Not provided": item.missing or "",
        }
        for item in chosen.items
        if item.missing or not only_gaps
    ]
    return pd.DataFrame(rows, columns=["Item", "Asks", "Answer", "Not provided"])
