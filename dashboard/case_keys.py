"""The depth panels in, the keys that open them and the note that lists all keys of the case page out."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

N_NUMBERED = 5
_listener = st.components.v2.component(
    "lemof_case_keys",
    js="\n" + (Path(__file__).parents[1] / "assets" / "case_keys.js").read_text(encoding="utf-8"),
)


def keys_note(depths: Sequence[str]) -> None:
    """Draw the note; from now on the keys act."""
    with st.popover("Keys", key="case-keys-note", type="tertiary"):
        st.html(key_table(depths))
    _listener(key="case-keys")


def key_table(depths: Sequence[str]) -> str:
    """Return the keys and what they do as markup."""
    opened = [(str(number), f"{name}: open, close") for number, name in enumerate(depths[:N_NUMBERED], 1)]
    keys = [("J", "previous patient"), ("K", "next patient"), *opened, ("C", "caliper on the ECG, or none"),
            ("M", "march the caliper out"), ("?", "this list")]  # fmt: skip
    rows = "".join(f"<tr><td><kbd>{key}</kbd></td><td>{html.escape(does)}</td></tr>" for key, does in keys)
    return f'<table class="case-keys" data-testid="case-keys"><tbody>{rows}</tbody></table>'
