"""Whose page it is in; what still stands there of another subject hidden, until this one's is all drawn.

Streamlit leaves the elements of the last run on the page, marked stale, until the new run replaces or ends: for that
time two patients would stand there together.
"""

from __future__ import annotations

from typing import Any

import streamlit as st


class SubjectChange:
    """Made before anything is drawn: `begins` when the subject is known, `ends` when all of it is on the page."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._place = st.empty()

    def begins(self, subject: Any) -> None:
        """Hide what another subject left."""
        if st.session_state.get(self._key) not in (None, subject):
            self._place.html("<style>[data-stale='true'] { visibility: hidden; }</style>")

    def ends(self, subject: Any) -> None:
        """Show everything again: all of it is this subject's."""
        st.session_state[self._key] = subject
        self._place.empty()
