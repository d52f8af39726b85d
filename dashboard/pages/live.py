"""`/live`: a WFDB pair or CSV and EHR values in, prediction and explanation out. Nothing is stored."""

from __future__ import annotations

import streamlit as st

from cohort_db.errors import InputMistake
from dashboard import live_form, live_view
from dashboard.session import banners, selected_run, the_store
from lemof_core.errors import ModelMistake
from lemof_core.live import LiveService, run_folder


@st.cache_resource(show_spinner=False)
def service() -> LiveService:
    """The one worker of this server."""
    return LiveService(timeout_s=90)


run = selected_run()
banners(run)
st.title("Live prediction")
if run is None:
    st.info("This store holds no run yet. Run `lemof train`, or `lemof demo` for the shipped one.")
    st.stop()
st.caption(
    "Give an ECG, health-record values, or both. Files are read in memory, predicted in a worker process and "
    "forgotten; nothing is stored. The code path is the one of the stored predictions."
)
try:
    case, ecg, stored_logit = live_form.ask(the_store(), run["run_id"])
except InputMistake as mistake:
    st.error(str(mistake))
    st.stop()
if case is None:
    st.stop()
try:
    with st.spinner("Predicting and explaining"):
        result = service().predict(case, run_folder(run["folder"], the_store().runs_folder))
except ModelMistake as mistake:
    st.error(str(mistake))
    st.stop()
live_view.show(result, ecg, run, stored_logit)
