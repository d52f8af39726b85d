"""What every panel of a patient begins with: its title, carrying the identity that a test holds against the URL."""

from __future__ import annotations

import html
from typing import Literal

import streamlit as st

from dashboard.queries_case import Case


def panel_title(
    case: Case, panel: str, title: str, note: str = "", *, width: Literal["stretch", "content"] = "stretch"
) -> None:
    """Draw the panel's title, which says the finding, and behind it in grey what the reader must know to read it."""
    st.html(stamped(case, panel, f"<h3>{html.escape(title)}</h3><small>{html.escape(note)}</small>"), width=width)


def stamped(case: Case, panel: str, inner: str) -> str:
    """Return markup that carries stay and run; `inner` is markup whose text is escaped already."""
    return (
        f'<div class="case-title" data-stay="{case.stay_id}" data-run="{html.escape(case.run_id)}" '
        f'data-panel="{html.escape(panel)}">{inner}</div>'
    )
