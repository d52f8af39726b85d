"""Who reads at this browser: the one who is logged in, else the name given once and remembered for the session."""

from __future__ import annotations

import streamlit as st

_REMEMBERED = "reader_name"


def logged_in_reader() -> str | None:
    """Return the name, or else the address, of the user whom the server knows; None where nobody logs in."""
    known = st.user.to_dict()
    name = known.get("name") or known.get("email")
    return str(name) if name else None


def reader_name() -> str:
    """Return who reads, as far as known; else an empty text."""
    return logged_in_reader() or str(st.session_state.get(_REMEMBERED, ""))


def remember_reader(name: str) -> None:
    """The name stands in every later form of this session."""
    st.session_state[_REMEMBERED] = " ".join(name.split())
