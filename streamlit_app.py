"""Entry of the dashboard: page frame and navigation, no logic. `streamlit run streamlit_app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard.session import note_page

ASSETS = Path(__file__).parent / "assets"
PAGES = Path("dashboard/pages")

st.set_page_config(page_title="LeMoF", page_icon=str(ASSETS / "logo.svg"), layout="wide")
st.html(ASSETS / "style.css")

pages = {
    "": [
        st.Page(PAGES / "overview.py", title="Overview", url_path="", default=True),
        st.Page(PAGES / "cohort.py", title="Cohort", url_path="cohort"),
        st.Page(PAGES / "saved_cohorts.py", title="Saved cohorts", url_path="cohorts"),
        st.Page(PAGES / "case.py", title="Case", url_path="case"),
    ],
    "Model": [
        st.Page(PAGES / "levels.py", title="Levels", url_path="levels"),
        st.Page(PAGES / "performance.py", title="Performance", url_path="performance"),
        st.Page(PAGES / "errors.py", title="Errors", url_path="errors"),
        st.Page(PAGES / "methods.py", title="Methods", url_path="methods"),
        st.Page(PAGES / "compare.py", title="Compare runs", url_path="compare"),
        st.Page(PAGES / "live.py", title="Live prediction", url_path="live"),
        st.Page(PAGES / "model_card.py", title="Model card", url_path="model-card"),
    ],
}
st.logo(str(ASSETS / "logo.svg"), size="large")
page = st.navigation(pages, position="top")
note_page(page.url_path)
page.run()
