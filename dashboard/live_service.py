"""The one prediction service of this server, asked by the live page and by the panels of a case that ask the model."""

from __future__ import annotations

import streamlit as st

from lemof_core.live import LiveService


@st.cache_resource(show_spinner=False)
def service() -> LiveService:
    """Return the service; its worker starts with the first question."""
    return LiveService(timeout_s=90)
