"""`/model_card`: what this is."""

import streamlit as st

from dashboard.session import banners, selected_run

banners(selected_run())
st.title("model_card")
