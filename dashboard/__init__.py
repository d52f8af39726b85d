"""Stored results in, pictures out: pages, charts and components of the Streamlit app."""
