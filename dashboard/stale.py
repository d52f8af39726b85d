"""Whose page it is in; what still stands there of another subject hidden, until this one's is all drawn.

Streamlit leaves the elements of the last run on the page, marked stale, until the new run replaces or ends: for that
time two patients would stand there together. And when the reader goes Back or Forward the address names another
subject at once, but the page follows only when the server answers: until then the browser hides it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

# The leading newline: Streamlit takes a one-line js string for the path of a file.
_guard = st.components.v2.component(
    "lemof_subject_guard",
    js="\n" + (Path(__file__).parents[1] / "assets" / "case_guard.js").read_text(encoding="utf-8"),
)


class SubjectChange:
    """Made before anything is drawn: `begins` when the subject is known, `ends` when all of it is on the page."""

    def __init__(self, key: str, *, parameter: str | None = None) -> None:
        """`parameter` of the URL names the subject; without one the browser has nothing to hold the page against."""
        self._key = key
        self._parameter = parameter
        self._place = st.empty()

    def begins(self, subject: Any) -> None:
        """Hide what another subject left; with None the page is nobody's."""
        # A run that was cut short left its own subject beside the one before: all that may stand there are remembered.
        there: frozenset[Any] = st.session_state.get(self._key, frozenset())
        st.session_state[self._key] = there | {subject}
        if there - {subject}:
            self._place.html("<style>[data-stale='true'] { visibility: hidden; }</style>")
        # After the style: once the guard knows this subject it shows the page, on a slow line before the style comes.
        if self._parameter:
            drawn = "" if subject is None else str(subject)
            # Without a callback Streamlit refuses the browser's "again", which asks for a run and nothing else.
            _guard(
                key=f"{self._key}-guard",
                data={"parameter": self._parameter, "drawn": drawn},
                on_again_change=lambda: None,
            )

    def ends(self, subject: Any) -> None:
        """Show everything again: all of it is this subject's."""
        st.session_state[self._key] = frozenset({subject})
        self._place.empty()
