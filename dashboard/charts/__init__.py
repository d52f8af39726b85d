"""DataFrames in, Plotly figures out. Pure: no Streamlit, no store."""
