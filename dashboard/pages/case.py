"""`/case?stay=ID&run=RUN`: one patient as one run saw it. Who this is comes from the URL and from nowhere else."""

from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import case_attention, case_depth, case_ecg, case_reasons, queries_case
from dashboard.case_baseline import baselines_of
from dashboard.case_branches import branches_panel
from dashboard.case_header import COHORT_PAGE, asked_stay, identity_bar, jump_form
from dashboard.case_judgement import judge_case
from dashboard.case_risk import risk_card
from dashboard.case_sheet import CaseSheet, read_sheet
from dashboard.case_similar import similar_panel
from dashboard.case_trends import trends_panel
from dashboard.case_what_if import what_if_panel
from dashboard.case_window import window_panel
from dashboard.queries_case import Waveform
from dashboard.session import banners, selected_run, the_store
from dashboard.stale import SubjectChange
from dashboard.trust_badge import trust_badge

DEPTHS = ["Attention", "Similar stays", "What if", "Levels", "Raw values", "Diagnoses"]
st.html(Path(__file__).parents[2] / "assets" / "case.css")


def nobody() -> None:
    """Ask whose page it shall be."""
    st.title("Case review")
    st.markdown("One patient: what the ECG shows, how vitals and labs moved, what the model expects and why.")
    jump_form()


def review(stay_id: int, run: dict[str, Any] | None) -> None:
    """Draw everything of one stay as the run saw it."""
    sheet = read_sheet(stay_id, run, with_maps=st.query_params.get("depth") == "Attention")
    if sheet is None:
        st.error(f"The store holds no ICU stay {stay_id}. Check the number, or choose from the cohort.")
        st.page_link(COHORT_PAGE, label="Choose from the cohort")
        return
    case = sheet.case
    identity_bar(case, run, DEPTHS)
    # Two papers side by side take the whole width.
    wide = None if sheet.second_id is None else st.container(gap="xsmall")
    columns = st.columns([62, 38], gap="medium")
    left, right = columns[0].container(gap="xsmall"), columns[1].container(key="case-right", gap="xxsmall")
    with left if wide is None else wide:
        record = paper(sheet)
    with right:
        risk_and_reasons(sheet)
    # Where there is no paper to look at, the waterfall has its place.
    with right if record and not record.problem and wide is None else left:
        branches_panel(case, baselines_of(the_store(), sheet.url, sheet.revision, case, run))
    offsets = (sheet.records["ecg_time"] - case.facts["intime"]).dt.total_seconds() / 3600
    trends_panel(
        case,
        sheet.values,
        sheet.variables,
        sheet.latest,
        sheet.explained.features if sheet.explained else {},
        queries_case.intervals(sheet.url, sheet.revision, stay_id),
        offsets.tolist(),
        linked=case_attention.chosen_variable(sheet.attention, sheet.variables),
    )
    chosen_depth(sheet)


def paper(sheet: CaseSheet) -> Waveform | None:
    """Draw the ECG on paper and what a window of it contributed; return the record that is on it."""
    case, shown = sheet.case, sheet.study_id
    record = None if shown is None else queries_case.waveform(sheet.url, sheet.revision, shown)
    highlight = case_attention.chosen_highlight(sheet.attention, sheet.variables)
    on_paper = case_ecg.ecg_panel(
        case, sheet.records, shown, sheet.second_id, case_ecg.Overlays(sheet.explained, sheet.read_maps, highlight)
    )
    if shown == case.model_study_id and sheet.second_id is None:
        window_panel(the_store(), case, sheet.run, sheet.explained, on_paper.caliper, record)
    case_attention.follow_click(on_paper.window, on_paper.cleared, sheet.attention)
    return record


def risk_and_reasons(sheet: CaseSheet) -> None:
    """Draw what the model expects, why, and how far to trust that."""
    url, revision, case, run, explained = sheet.url, sheet.revision, sheet.case, sheet.run, sheet.explained
    judgement = judge_case(url, revision, case, run, sheet.records, sheet.variables)
    risk_card(
        case,
        run,
        queries_case.rules(url, revision).get(case.rule or ""),
        sheet.defined,
        like_it=judgement.like_it,
        measured=judgement.measured,
        abstains=judgement.abstains,
    )
    if explained and judgement.skill.none:
        case_reasons.no_skill(case, judgement.skill.words)
    elif case.prediction:
        seen_ecg = case.model_study_id
        numbers = {} if seen_ecg is None else queries_case.ecg_numbers(url, revision, seen_ecg)
        static, ecg = case_reasons.static_words(case.facts), case_reasons.ecg_words(numbers, case.facts["sex"])
        reasons = (
            case_reasons.strongest_reasons(explained, sheet.variables, sheet.latest, static, ecg, effect=case.effect)
            if explained
            else []
        )
        case_reasons.reasons_panel(case, explained, reasons, str(run["fusion"]) if run else "")
        if explained:
            trust_badge(case, queries_case.trust(url, revision, case.run_id, str(case.sample_id)), explained)


def chosen_depth(sheet: CaseSheet) -> None:
    """Draw the panel of depth that the reader opened; the others cost nothing."""
    url, revision, case = sheet.url, sheet.revision, sheet.case
    depth = st.segmented_control("More", DEPTHS, key="depth", bind="query-params", label_visibility="collapsed")
    if depth == "Attention":
        case_attention.attention_panel(case, sheet.attention, sheet.variables)
    elif depth == "Similar stays":
        similar_panel(url, revision, case, sheet.defined, sheet.latest)
    elif depth == "What if":
        what_if_panel(the_store(), case, sheet.run, sheet.variables)
    elif depth == "Levels":
        case_depth.levels_panel(case, queries_case.level_scores(url, revision, case.run_id, case.sample_id or ""))
    elif depth == "Raw values":
        case_depth.raw_panel(case, sheet.values, sheet.variables)
    elif depth == "Diagnoses":
        case_depth.diagnoses_panel(case, queries_case.diagnoses(url, revision, int(case.facts["hadm_id"])))


top = st.container()
change = SubjectChange("case_shown", parameter="stay")
run = selected_run()
with top:
    banners(run)
stay_id = asked_stay()
with change.begins(stay_id):
    if stay_id is None:
        nobody()
    else:
        review(stay_id, run)
change.ends()
