"""`/live`: an ECG in any of three formats and EHR values in, prediction and explanation out. Nothing is stored."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from cohort_db.errors import InputMistake
from dashboard import live_form, live_view, queries_case
from dashboard.live_service import service
from dashboard.session import banners, selected_run, stamp, the_store
from dashboard.stale import SubjectChange
from dashboard.wording import definition_of, literal
from lemof_core.errors import ModelMistake
from lemof_core.live import run_folder

st.html(Path(__file__).parents[2] / "assets" / "case.css")
form = st.container()
change = SubjectChange("live_shown")
run = selected_run()
with form:
    banners(run)
    st.title("Live prediction")
    if run is None:
        st.info("This store holds no run yet. Run `lemof train`, or `lemof demo` for the shipped one.")
        st.stop()
    st.caption(
        "Give health-record values, with an ECG or without. Files are read, predicted in a worker process and "
        "forgotten; nothing is stored: to keep an answer, download it. The code path is the one of the stored "
        "predictions."
    )
    try:
        asked = live_form.ask(the_store(), run["run_id"], definition_of(run))
    except InputMistake as mistake:
        st.error(literal(mistake))
        st.stop()
with change.begins(None if asked is None else asked.inputs):
    if asked is None:
        st.stop()
    try:
        with st.spinner("Predicting and explaining"):
            result = service().predict(asked.case, run_folder(run["folder"], the_store().runs_folder))
    except ModelMistake as mistake:
        st.error(literal(mistake))
        st.stop()
    live_view.show(result, asked, run, queries_case.variables(*stamp()))
