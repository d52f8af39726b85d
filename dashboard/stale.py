"""Whose page it is in; a place that holds this subject's elements and never, not for a moment, another's.

Streamlit leaves the elements of the last run where they are until the new run replaces them or ends; a run that the
reader's next click cuts short leaves some of two subjects. So every subject has a place of its own: before anything of
a new one is drawn, the place of the one before is emptied. And when the reader goes Back or Forward the address names
another subject at once, but the page follows only when the server answers: until then the browser hides every place
but that of the subject in the address, by the place's class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# The leading newline: Streamlit takes a one-line js string for the path of a file.
_guard = st.components.v2.component(
    "lemof_subject_guard",
    js="\n" + (Path(__file__).parents[1] / "assets" / "case_guard.js").read_text(encoding="utf-8"),
)
# While the new subject's panels come the page keeps its height, so that the reader stays at the depth where they were.
_KEEP_HEIGHT = '<style>[data-testid="stMainBlockContainer"] { min-height: var(--lemof-page-height, 0); }</style>'
N_PLACES = 8  # so many runs in a row would have to be dropped before anything of an earlier subject were inherited


class SubjectChange:
    """Made once a run, before anything of a subject is drawn: `begins` when it is known, `ends` when all is drawn."""

    def __init__(self, key: str, *, parameter: str | None = None) -> None:
        """`parameter` of the URL names the subject; without one the browser has nothing to hold the page against."""
        self._key = key
        self._parameter = parameter
        self._height = st.empty()
        self._frame = st.container()

    def begins(self, subject: Any) -> DeltaGenerator:
        """Return the place to draw this subject in; nothing of another one is on the page from here on.

        None is the page of nobody.
        """
        number, before = st.session_state.get(self._key, (0, subject))
        changes = before != subject
        number += changes
        if changes and self._parameter:
            self._height.html(_KEEP_HEIGHT)
        # A container inherits the elements of the one that stood in its place, so places take turns. Two would do, but
        # what a run sent is dropped where the next one begins at once: then one that should be empty is not. In the
        # browser a new key makes all elements new: an old one would show its last subject until it worked in the next.
        whose = f"-of-{'' if subject is None else subject}" if self._parameter else ""
        for turn in range(N_PLACES):
            if turn == number % N_PLACES:
                place = self._frame.container(key=f"{self._key}{whose}-visit-{number}")
            else:
                self._frame.empty()
        # Not before both are sent: a run may be cut short in between, and then nothing of this subject is there.
        st.session_state[self._key] = (number, subject)
        if self._parameter:
            # `drawn` makes the browser look again, should it not tell of changes of the address.
            known = {"key": self._key, "parameter": self._parameter, "drawn": str(subject)}
            with self._frame:
                # Without a callback Streamlit refuses the browser's "again", which asks for a run and nothing else.
                _guard(key=f"{self._key}-guard", data=known, on_again_change=lambda: None)
        return place

    def ends(self) -> None:
        """All of this subject is drawn: the page has its own height again."""
        self._height.empty()
