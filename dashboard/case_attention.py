"""The attention maps of a case in, heatmaps with a choice of token and window out; the choice is shown on the paper."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.case_panel import panel_title
from dashboard.charts.attention import attention_figure, token_order
from dashboard.queries_case import Attention, Case

N_TOKENS = 20
CLEARED = "case_window_cleared"
CLICKED = "case_window_clicked"  # the window that was clicked on the paper last
NOT_WHY = "Attention shows where the model looked, not why."
_SPECIAL = {"CLS": "Summary token"}


def token_labels(tokens: Sequence[str], variables: pd.DataFrame) -> list[str]:
    """Return the tokens as the field calls them."""
    known = variables["label"].to_dict() | _SPECIAL
    return [str(known.get(token, token)) for token in tokens]


def chosen_highlight(attention: Attention | None, variables: pd.DataFrame) -> tuple[float, float] | None:
    """Return the ECG window that the choices in the URL point at: the chosen one, else the one that the chosen token
    looked at most. Read before the panel is drawn, because the paper stands above it."""
    if attention is None:
        return None
    window = _chosen_window(attention)
    labels = token_labels(attention.tokens, variables)
    token = _asked("token")
    if window is None and token in labels:
        window = int(np.argmax(attention.ehr_from_ecg[labels.index(token)]))
    return None if window is None else (attention.edges_s[window], attention.edges_s[window + 1])


def chosen_variable(attention: Attention | None, variables: pd.DataFrame) -> str | None:
    """Return the variable of the chosen token, else the one that the chosen window looked at most; None without a
    choice, or where a token is no variable. It is marked in the flowsheet."""
    if attention is None:
        return None
    labels, asked = token_labels(attention.tokens, variables), _asked("token")
    if asked in labels:
        token = attention.tokens[labels.index(asked)]
    elif (window := _chosen_window(attention)) is not None:
        token = attention.tokens[int(np.argmax(attention.ecg_from_ehr[window]))]
    else:
        return None
    return token if token in variables.index else None


def _asked(key: str) -> str:
    """Return a choice from its widget, from the URL alone where the widget was not drawn yet."""
    chosen = st.session_state[key] if key in st.session_state else st.query_params.get(key)
    return str(chosen or "")


def let_go() -> None:
    """No window and no token is chosen; their widgets take themselves out of the URL when they are drawn."""
    st.session_state["window"] = st.session_state["token"] = None
    st.session_state.pop(CLICKED, None)


def _window_names(attention: Attention) -> list[str]:
    return [f"{low:.2f}-{high:.2f} s" for low, high in pairwise(attention.edges_s)]


def _chosen_window(attention: Attention) -> int | None:
    names = _window_names(attention)
    asked = _asked("window")
    return names.index(asked) if asked in names else None


def follow_click(clicked: tuple[float, float] | None, cleared: float | None, attention: Attention | None) -> None:
    """A window clicked on the paper is the chosen one, once: the list beside the maps may choose another later.
    Escape on the paper lets window and token go."""
    if cleared is not None and st.session_state.get(CLEARED) != cleared:
        st.session_state[CLEARED] = cleared
        if st.session_state.get("window") or st.session_state.get("token"):
            let_go()
            st.rerun()
    if clicked is None or attention is None or st.session_state.get(CLICKED) == clicked:
        return
    st.session_state[CLICKED] = clicked
    middle = (clicked[0] + clicked[1]) / 2
    window = int(np.searchsorted(attention.edges_s, middle)) - 1
    if 0 <= window < len(attention.edges_s) - 1:
        st.session_state["window"] = _window_names(attention)[window]
        st.rerun()


def attention_panel(case: Case, attention: Attention | None, variables: pd.DataFrame) -> None:
    """Draw the maps, or why there are none."""
    panel_title(case, "attention", "Where the model looked", NOT_WHY)
    if attention is None or case.model_study_id is None:
        st.info(
            "No attention map: the prediction was made without an ECG, the run was scored without explanations, or its "
            "Module 2 reads each level as one vector."
        )
        return
    labels = token_labels(attention.tokens, variables)
    with st.container(horizontal=True, key="case-attention-controls"):
        token = st.selectbox(
            "Health record token", labels, index=None, key="token", bind="query-params",
            placeholder="Choose a token", width=280,
        )  # fmt: skip
        st.selectbox(
            "ECG window", _window_names(attention), index=None, key="window", bind="query-params",
            placeholder="Choose a window", width=200,
        )  # fmt: skip
    order = token_order(attention.ehr_from_ecg, attention.ecg_from_ehr, N_TOKENS)
    row = labels.index(token) if token else None
    if row is not None and row not in order:
        order = [*order[:-1], row]
    window = _chosen_window(attention)
    sentences = chosen_sentences(attention, labels, row, window)
    if sentences:
        st.html(f'<div class="case-sentence" data-testid="attention-choice">{html.escape(sentences)}</div>')
    key = f"case-attention-chart-{case.stay_id}-{case.run_id}"
    figure = attention_figure(
        attention.ecg_from_ehr, attention.ehr_from_ecg, attention.edges_s, labels, order, token=row, window=window
    )
    with st.container(key="case-attention"):
        st.plotly_chart(
            figure,
            width="stretch",
            theme="streamlit",
            key=key,
            on_select=partial(_choose_cell, key, labels, _window_names(attention)),
            selection_mode="points",
            config={"displayModeBar": False},
            alt=f"Attention of {len(attention.edges_s) - 1} ECG windows and {len(order)} record tokens. {NOT_WHY}",
        )
    _footnote(attention, len(order))


def _choose_cell(key: str, labels: Sequence[str], windows: Sequence[str]) -> None:
    """The cell that was clicked in either map is the chosen token and window; a click beside all cells clears both."""
    points = st.session_state[key].selection.points
    chosen = points[0]["customdata"] if points else None
    st.session_state["token"] = labels[int(chosen[1])] if chosen else None
    st.session_state["window"] = windows[int(chosen[0])] if chosen else None


def chosen_sentences(attention: Attention, labels: Sequence[str], token: int | None, window: int | None) -> str:
    """Return in words what the chosen token and the chosen window looked at, beside what an even look would be."""
    names = _window_names(attention)
    parts = []
    if token is not None:
        weights = attention.ehr_from_ecg[token]
        most = int(np.argmax(weights))
        parts.append(
            f"{labels[token]} looked most at {names[most]} of the ECG: weight {weights[most]:.3f}, "
            f"an even look would be {1 / len(weights):.3f}."
        )
    if window is not None:
        weights = attention.ecg_from_ehr[window]
        first = np.argsort(-weights, kind="stable")[:3]
        named = ", ".join(f"{labels[int(index)]} {weights[index]:.3f}" for index in first)
        even = f"an even look would be {1 / len(weights):.3f}"
        parts.append(f"{names[window]} of the ECG looked most at {named}; {even}.")
    return " ".join(parts)


def _footnote(attention: Attention, n_shown: int) -> None:
    parts = [f"Weights are means over folds and heads; the {n_shown} of {len(attention.tokens)} tokens most looked at."]
    if attention.effect is not None:
        parts.append(f"Permuting the weights changes the log-odds by {attention.effect:.2g}.")
    st.html(f'<div class="case-footnote">{html.escape(" ".join(parts))} {html.escape(NOT_WHY)}</div>')
