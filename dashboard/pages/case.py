"""`/case?stay=ID&run=RUN`: one patient as one run saw it. Who this is comes from the URL and from nowhere else."""

from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard import case_attention, case_depth, case_ecg, case_reasons, ecg_choice, queries_case
from dashboard.case_baseline import baselines_of
from dashboard.case_branches import branches_panel
from dashboard.case_header import COHORT_PAGE, asked_stay, identity_bar, jump_form
from dashboard.case_judgement import judge_case
from dashboard.case_risk import risk_card
from dashboard.case_similar import similar_panel
from dashboard.case_trends import trends_panel
from dashboard.case_values import judged, latest_seen
from dashboard.case_what_if import what_if_panel
from dashboard.case_window import window_panel
from dashboard.session import banners, selected_run, stamp, the_store
from dashboard.stale import SubjectChange
from dashboard.trust_badge import trust_badge
from dashboard.wording import definition_of

DEPTHS = ["Attention", "Similar stays", "What if", "Levels", "Raw values", "Diagnoses"]
st.html(Path(__file__).parents[2] / "assets" / "case.css")


def nobody() -> None:
    """Ask whose page it shall be."""
    st.title("Case review")
    st.markdown("One patient: what the ECG shows, how vitals and labs moved, what the model expects and why.")
    jump_form()


def review(stay_id: int, run: dict[str, Any] | None) -> None:
    """Draw everything of one stay as the run saw it."""
    url, revision = stamp()
    case = queries_case.case_of(url, revision, stay_id, run["run_id"] if run else None)
    if case is None:
        st.error(f"The store holds no ICU stay {stay_id}. Check the number, or choose from the cohort.")
        st.page_link(COHORT_PAGE, label="Choose from the cohort")
        return

    facts = case.facts
    variables = queries_case.variables(url, revision)
    values = judged(
        queries_case.measurements(url, revision, stay_id),
        variables,
        sex=facts["sex"],
        intime=facts["intime"],
        t0_s=case.t0_s,
    )
    latest = latest_seen(values, variables, facts["sex"])
    explained, read_maps, attention = None, None, None
    if case.prediction and case.prediction["array_row"] is not None:
        row, path = int(case.prediction["array_row"]), case.prediction["path"]
        explained = queries_case.explained(url, revision, case.run_id, row, path)
        if path == "both" and queries_case.has_attention(url, revision, case.run_id):
            read_maps = partial(queries_case.attention, url, revision, case.run_id, row)
    if st.query_params.get("depth") == "Attention" and read_maps:
        attention = read_maps()
    records = queries_case.ecgs(url, revision, int(facts["subject_id"]))
    study_id = ecg_choice.chosen_study(case, records)
    second_id = ecg_choice.compared_study(records, study_id)

    identity_bar(case, run, DEPTHS)
    # Two papers side by side take the whole width.
    wide = None if second_id is None else st.container(gap="xsmall")
    columns = st.columns([62, 38], gap="medium")
    left, right = columns[0].container(gap="xsmall"), columns[1].container(key="case-right", gap="xxsmall")
    with left if wide is None else wide:
        record = None if study_id is None else queries_case.waveform(url, revision, study_id)
        on_paper = case_ecg.ecg_panel(
            case,
            records,
            study_id,
            second_id,
            case_ecg.Overlays(explained, read_maps, case_attention.chosen_highlight(attention, variables)),
        )
        if study_id == case.model_study_id and second_id is None:
            window_panel(the_store(), case, run, explained, on_paper.caliper, record)
    case_attention.follow_click(on_paper.window, on_paper.cleared, attention)
    with right:
        defined = definition_of(run) if run else queries_case.definition(url, revision)
        judgement = judge_case(url, revision, case, run, records, variables)
        risk_card(
            case,
            run,
            queries_case.rules(url, revision).get(case.rule or ""),
            defined,
            like_it=judgement.like_it,
            measured=judgement.measured,
            abstains=judgement.abstains,
        )
        if explained and judgement.skill.none:
            case_reasons.no_skill(case, judgement.skill.words)
        elif case.prediction:
            seen_ecg = case.model_study_id
            numbers = {} if seen_ecg is None else queries_case.ecg_numbers(url, revision, seen_ecg)
            static, ecg = case_reasons.static_words(facts), case_reasons.ecg_words(numbers, facts["sex"])
            reasons = (
                case_reasons.strongest_reasons(explained, variables, latest, static, ecg, effect=case.effect)
                if explained
                else []
            )
            case_reasons.reasons_panel(case, explained, reasons, str(run["fusion"]) if run else "")
            if explained:
                trust_badge(case, queries_case.trust(url, revision, case.run_id, str(case.sample_id)), explained)
    # Where there is no paper to look at, the waterfall has its place.
    with right if record and not record.problem and wide is None else left:
        branches_panel(case, baselines_of(the_store(), url, revision, case, run))

    offsets = (records["ecg_time"] - facts["intime"]).dt.total_seconds() / 3600
    trends_panel(
        case,
        values,
        variables,
        latest,
        explained.features if explained else {},
        queries_case.intervals(url, revision, stay_id),
        offsets.tolist(),
        linked=case_attention.chosen_variable(attention, variables),
    )

    depth = st.segmented_control("More", DEPTHS, key="depth", bind="query-params", label_visibility="collapsed")
    if depth == "Attention":
        case_attention.attention_panel(case, attention, variables)
    elif depth == "Similar stays":
        similar_panel(url, revision, case, defined, latest)
    elif depth == "What if":
        what_if_panel(the_store(), case, run, variables)
    elif depth == "Levels":
        case_depth.levels_panel(case, queries_case.level_scores(url, revision, case.run_id, case.sample_id or ""))
    elif depth == "Raw values":
        case_depth.raw_panel(case, values, variables)
    elif depth == "Diagnoses":
        case_depth.diagnoses_panel(case, queries_case.diagnoses(url, revision, int(facts["hadm_id"])))


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
