"""The URL's stay and the list that is leafed through in, the sticky identity bar with the way to the next one out."""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from typing import Any

import streamlit as st

from dashboard.case_panel import stamped
from dashboard.queries_case import Case, cohort_order
from dashboard.session import stamp
from dashboard.split_use import in_sample

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
export default function ({ parentElement }) {
  const button = parentElement.querySelector(".copy");
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "Link copied";
    } catch {
      window.prompt("Copy this link", location.href);
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
    if not re.fullmatch(r"\d{1,18}", asked):
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
    """The URL names another patient; the ECG chosen for the last one does not go with it."""
    if "ecg" in st.query_params:
        del st.query_params["ecg"]
    st.query_params["stay"] = str(stay_id)


def listed_stays() -> tuple[int, ...]:
    """Return the stays in the order that the cohort page shows; the whole cohort by number where it showed none."""
    chosen = st.session_state.get("cohort_ids")
    return tuple(int(stay_id) for stay_id in chosen) if chosen else cohort_order(*stamp())


def neighbours(stay_id: int, order: tuple[int, ...]) -> tuple[int | None, int | None, int | None]:
    """Return (position from 1, stay before, stay after); a stay outside the list stands between its numbers."""
    if stay_id in order:
        at = order.index(stay_id)
        return at + 1, order[at - 1] if at else None, order[at + 1] if at + 1 < len(order) else None
    ascending = tuple(sorted(order))
    at = bisect_left(ascending, stay_id)
    return None, ascending[at - 1] if at else None, ascending[at] if at < len(order) else None


def _step(forward: bool) -> None:
    """The URL names the neighbour of the stay it named: reckoned from the URL, so that no click goes astray."""
    _, before, after = neighbours(int(st.query_params["stay"]), listed_stays())
    target = after if forward else before
    if target is not None:
        _open(target)


def identity_bar(case: Case, run: dict[str, Any] | None) -> None:
    """Draw who this is, for which run, and the way to the patients before and after."""
    order = listed_stays()
    position, before, after = neighbours(case.stay_id, order)
    with st.container(key="case-identity", horizontal=True, vertical_alignment="center", gap="small"):
        st.html(stamped(case, "identity", _who(case, run)))
        steps: dict[str, Any] = {"on_click": _step, "type": "tertiary"}
        st.button("‹ Previous", args=(False,), disabled=before is None, shortcut="j", key="case-prev", **steps)
        where = f"{position} of {len(order)}" if position else f"not among the {len(order)} listed"
        st.html(f'<span class="case-position" data-testid="case-position">{where}</span>', width="content")
        st.button("Next ›", args=(True,), disabled=after is None, shortcut="k", key="case-next", **steps)
        _copy_link(key="case-copy", width="content")
    fitted_on = _in_sample(case, run)
    if fitted_on:
        st.html(f'<div class="case-in-sample" role="note" data-testid="in-sample">{fitted_on}</div>')


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
