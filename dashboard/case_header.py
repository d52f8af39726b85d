"""The URL's stay and the list that is leafed through in, the sticky identity bar with the way to the next one out."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from dashboard import queries_case, queries_cohort
from dashboard.case_attention import let_go
from dashboard.case_baseline import COHORT
from dashboard.case_keys import keys_note
from dashboard.case_panel import stamped
from dashboard.cohort_filters import SORTS, in_words
from dashboard.ecg_choice import CHOSEN, COMPARED
from dashboard.queries_case import Case
from dashboard.session import chosen_run, stamp
from dashboard.split_use import in_sample
from dashboard.stay_list import LIST, StayList, neighbours, read_list

COHORT_PAGE = "dashboard/pages/cohort.py"
# The leading newline: Streamlit takes a one-line js string for the path of a file.
_copy_link = st.components.v2.component(
    "lemof_copy_link",
    html='<button type="button" class="copy">Copy link</button>',
    css="""
.copy { font: inherit; font-size: 0.875rem; color: var(--st-text-color); background: transparent; cursor: pointer;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius, 4px); padding: 0 10px;
  min-height: 2rem; white-space: nowrap; }
""",
    js="""
export default function ({ data, parentElement }) {
  const button = parentElement.querySelector(".copy");
  button.onclick = async () => {
    // Without a run the address means the newest one, which tomorrow may be another.
    const link = new URL(location.href);
    if (data?.run) link.searchParams.set("run", data.run);
    try {
      await navigator.clipboard.writeText(link.href);
      button.textContent = "Link copied";
    } catch {
      window.prompt("Copy this link", link.href);
    }
    setTimeout(() => { button.textContent = "Copy link"; }, 1500);
  };
}
""",
)


def asked_stay() -> int | None:
    """Return the stay that the URL names; without one, the page asks for it, and a text that is no number stops it."""
    asked = st.query_params.get("stay", "").strip()
    if not asked:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", asked):
        st.error("The link's stay is not a number. A stay has a MIMIC stay_id, such as 30001234.")
        jump_form()
        st.stop()
    return int(asked)


def jump_form() -> None:
    """Draw a form that leads to a stay by its number, and the way to the list of cases."""
    with st.form("case-jump", border=False, width=420):
        st.number_input("Stay id", min_value=0, step=1, value=None, key="jump_to", placeholder="30001234", format="%d")
        st.form_submit_button("Open case", on_click=_jump)
    st.page_link(COHORT_PAGE, label="Choose from the cohort")


def _jump() -> None:
    if st.session_state.get("jump_to") is not None:
        _open(int(st.session_state["jump_to"]))


def _open(stay_id: int) -> None:
    """The URL names another patient; what was chosen of the last one's data does not go with it."""
    for name in (CHOSEN, COMPARED):
        if name in st.query_params:
            del st.query_params[name]
    let_go()
    if "against" in st.session_state:
        st.session_state["against"] = COHORT
    st.query_params["stay"] = str(stay_id)


def _asked_list() -> StayList | None:
    """Return the list that the URL names, the whole cohort where it names none; None for a text that is no list."""
    try:
        return read_list(st.query_params.get(LIST, ""))
    except ValueError:
        return None


def _listed(run_id: str | None) -> np.ndarray:
    """Return the stays (N,) to leaf through; nobody where the URL's list cannot be read."""
    asked = _asked_list()
    return np.empty(0, np.int64) if asked is None else queries_cohort.listed_stays(run_id, asked.written())


def _step(forward: bool, run_id: str | None) -> None:
    """The URL names the neighbour of the stay it named: reckoned from the URL, so that no click goes astray."""
    asked = st.query_params.get("stay", "").strip()
    if not re.fullmatch(r"[0-9]{1,18}", asked):  # Back led to the page without a stay while the button still stood
        return
    _, before, after = neighbours(int(asked), _listed(chosen_run() or run_id))
    target = after if forward else before
    if target is not None:
        _open(target)


def identity_bar(case: Case, run: dict[str, Any] | None, depths: Sequence[str]) -> None:
    """Draw who this is, for which run, the way to the patients before and after, and the keys."""
    run_id = run["run_id"] if run else None
    order = _listed(run_id)
    position, before, after = neighbours(case.stay_id, order)
    with st.container(key="case-identity", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(stamped(case, "identity", _who(case, run)))
        steps: dict[str, Any] = {"on_click": _step, "type": "tertiary"}
        st.button("‹ Previous", args=(False, run_id), disabled=before is None, shortcut="j", key="case-prev", **steps)
        where = f"{position:,} of {len(order):,}" if position else f"not among the {len(order):,} listed"
        st.html(f'<span class="case-position" data-testid="case-position">{where}</span>', width="content")
        st.button("Next ›", args=(True, run_id), disabled=after is None, shortcut="k", key="case-next", **steps)
        _list_link()
        keys_note(depths)
        _copy_link(key="case-copy", width="content", data={"run": run_id})
    fitted_on = _in_sample(case, run)
    if fitted_on:
        st.html(f'<div class="case-in-sample" role="note" data-testid="in-sample">{fitted_on}</div>')


def _list_link() -> None:
    """Draw the way to the list that is leafed through, as the cohort page shows it."""
    url, revision = stamp()
    asked, defined = _asked_list(), queries_cohort.definition(url, revision)
    if asked is None:
        st.warning("The link's list cannot be read: choose one on the cohort page.")
    elif defined is not None:
        words = [*in_words(asked.filters, queries_case.rules(url, revision), defined).values(), SORTS[asked.order]]
        run_id = chosen_run()
        query: dict[str, Any] = asked.cohort_query(defined) | ({"run": run_id} if run_id else {})
        st.page_link(COHORT_PAGE, label="List", query_params=query, help=", ".join(words), width="content")


def _who(case: Case, run: dict[str, Any] | None) -> str:
    facts = case.facts
    unit = re.search(r"\(([^)]+)\)\s*$", facts["first_careunit"])
    shown = unit.group(1) if unit else facts["first_careunit"]
    parts = [
        f"<b>Stay {case.stay_id}</b>",
        f"{html.escape(facts['sex'])} {facts['age_years']}",
        f'<span title="{html.escape(facts["first_careunit"])}">{html.escape(shown)}</span>',
        f"admitted {facts['intime']:%Y-%m-%d %H:%M}",
        _part(case),
        f"run {html.escape(run['run_id'])}" if run else "no run yet",
    ]
    return "<span>" + "</span><span>".join(part for part in parts if part) + "</span>"


def _part(case: Case) -> str:
    if case.sample_id is None:
        return "outside the cohort"
    return f"{html.escape(case.prediction['split'])} split" if case.prediction else "not scored"


def _in_sample(case: Case, run: dict[str, Any] | None) -> str:
    """Return the banner's sentence where the patient was used to fit the model."""
    taught = in_sample(run["fitting"], case.prediction["split"]) if run and case.prediction else None
    return f"In-sample: {html.escape(taught)} What the model says here is no test of it." if taught else ""
