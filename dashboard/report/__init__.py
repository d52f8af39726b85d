"""A store, a run and whom it is judged on in; a report out that opens anywhere: one HTML file, or a PDF.

No Streamlit in here: the command line, the page's button and a notebook make the same report. It names no patient, no
stay and no date of one. The same store gives the same report, byte for byte.
"""
