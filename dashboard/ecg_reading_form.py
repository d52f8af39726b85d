"""The intervals of one ECG in, a form to measure them by hand out: every reading is stored with its reader and time."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cohort_db.ecg_readings import READABLE, Reading, add_reading, reading_history, withdraw_reading
from cohort_db.errors import InputMistake
from dashboard.ecg_intervals import QTC, Interval, with_unit
from dashboard.reader import logged_in_reader, reader_name, remember_reader
from dashboard.session import the_store


def reading_form(study_id: int, intervals: Sequence[Interval], caliper: tuple[float, float, str] | None) -> None:
    """Draw the button that opens the form. Its widgets carry the ECG's number: what is typed for one reaches no other.

    Args:
        caliper: t0, t1 in seconds and lead, measured on this very ECG's paper.
    """
    with st.popover("Correct", key=f"correct-{study_id}", help="Measure HR, PR, QRS or QT by hand"):
        chosen = {interval.name: interval for interval in intervals if interval.name != QTC}
        name = st.segmented_control(
            "Interval", list(chosen), format_func=lambda name: READABLE[name].label, default="qrs_ms", required=True,
            key=_key(study_id, "name"), label_visibility="collapsed",
        )  # fmt: skip
        interval = chosen[str(name or "qrs_ms")]
        st.caption(f"{interval.label} now: {interval.shown} ({interval.source})")
        _value(study_id, interval, caliper)
        _who(study_id)
        save, withdraw = st.columns(2)
        save.button("Save", on_click=_save, args=(study_id, interval.name), type="primary", width="stretch",
                    key=_key(study_id, "save"))  # fmt: skip
        withdraw.button("Withdraw", on_click=_withdraw, args=(study_id, interval.name), width="stretch",
                        disabled=interval.reading is None, key=_key(study_id, "withdraw"),
                        help="The automated value counts again; the reading stays in the history")  # fmt: skip
        problem = st.session_state.pop(_key(study_id, "problem"), None)
        if problem:
            st.error(problem)
        _history(reading_history(the_store(), study_id))


def _key(study_id: int, part: str) -> str:
    return f"reading-{study_id}-{part}"


def _value(study_id: int, interval: Interval, caliper: tuple[float, float, str] | None) -> None:
    known, value_key = READABLE[interval.name], _key(study_id, interval.name)
    start = interval.value if interval.value is not None else interval.automated
    if value_key not in st.session_state:
        st.session_state[value_key] = None if start is None else float(round(start))
    absent = st.checkbox("Not measurable", key=_key(study_id, "absent"))
    st.number_input(f"{known.label} ({known.unit})", key=value_key, step=2.0, format="%.0f", disabled=absent)
    if caliper is None:
        st.caption("Drag on the paper to take a caliper's value over.")
        return
    ms = 1000 * (caliper[1] - caliper[0])
    value = 60_000 / ms if known.unit == "/min" and ms > 0 else ms
    told = f"Use the caliper's {with_unit(value, known.unit)} ({caliper[2]})"
    st.button(told, on_click=_take, args=(study_id, interval.name, float(round(value))), key=_key(study_id, "caliper"))


def _who(study_id: int) -> None:
    if logged_in_reader():
        st.caption(f"Read by {logged_in_reader()}")
        return
    key = _key(study_id, "reader")
    if key not in st.session_state:
        st.session_state[key] = reader_name()
    st.text_input("Read by", key=key, placeholder="Your name", max_chars=120)


def _history(rows: Sequence[Reading]) -> None:
    for row in reversed(rows):
        known = READABLE[row.name]
        did = "withdrawn" if row.withdrawn else with_unit(row.value, known.unit)
        st.text(f"{row.created_at:%Y-%m-%d %H:%M} UTC  {known.label} {did}, {row.reader}")


def _take(study_id: int, name: str, value: float) -> None:
    st.session_state[_key(study_id, name)] = value
    st.session_state[_key(study_id, "absent")] = False


def _reader(study_id: int) -> str:
    """Return who saves now; a name given by hand is remembered."""
    known = logged_in_reader()
    if known is None:
        known = str(st.session_state.get(_key(study_id, "reader"), ""))
        remember_reader(known)
    return known


def _save(study_id: int, name: str) -> None:
    absent = st.session_state[_key(study_id, "absent")]
    value: float | None = None if absent else st.session_state.get(_key(study_id, name))
    try:
        if value is None and not absent:
            raise InputMistake(f"give a value of {READABLE[name].label}, or say that it is not measurable")
        add_reading(the_store(), study_id, name, value, _reader(study_id))
    except InputMistake as mistake:
        st.session_state[_key(study_id, "problem")] = f"Not saved: {mistake}."
    else:
        st.session_state[_key(study_id, "absent")] = False


def _withdraw(study_id: int, name: str) -> None:
    try:
        withdraw_reading(the_store(), study_id, name, _reader(study_id))
    except InputMistake as mistake:
        st.session_state[_key(study_id, "problem")] = f"Not withdrawn: {mistake}."
    else:
        # The form starts again from the automated value.
        st.session_state.pop(_key(study_id, name), None)
