"""Judged predictions in; where ECG, health record and levels disagree, and which of them was right, drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.charts.modality_scatter import MOST_POINTS, modality_scatter
from dashboard.error_group import Group, pickable
from dashboard.plain_table import plain_table
from dashboard.queries_errors import VOICE_WORDS, Judged
from dashboard.wording import estimate, interval
from lemof_core.evaluation.confusion import rate
from lemof_core.evaluation.disagreement import FUSED, Voices, against_fused, who_was_right

_THREE = ("ecg", "ehr", FUSED)


def draw_disagreement(judged: Judged, group: Group | None) -> None:
    """The scatter, the table of who was right and the levels stand below one another, or why they cannot.

    Args: group: the stays that stand out in the scatter.
    """
    voices = judged.voices
    if voices is None:
        st.subheader("No stay has both an ECG and a health record")
        st.info("Every prediction here was made without a usable ECG, so there are no two modalities to compare.")
        return
    if not set(_THREE) <= set(voices.names):
        st.subheader("This run does not store what each modality says")
        st.info("Its fusion reads no levels of both modalities, so ECG and health record cannot be heard alone.")
        return
    y = judged.y[judged.both]
    st.subheader(title(voices))
    st.markdown(sides(voices, y))
    ecg, ehr = (voices[name] for name in ("ecg", "ehr"))
    ids = judged.frame["stay_id"].to_numpy()[judged.both]
    inside = np.isin(judged.both, group.rows) if group is not None and group.definition else None
    figure = modality_scatter(
        voices.score[:, ecg],
        voices.score[:, ehr],
        y,
        ids,
        (float(voices.cut[ecg]), float(voices.cut[ehr])),
        inside=inside,
    )
    st.plotly_chart(
        figure,
        key="modalities",
        theme="streamlit",
        config={"displayModeBar": False},
        alt=f"ECG log-odds against health record log-odds by outcome, n = {len(y):,}",
    )
    drawn = f" {MOST_POINTS:,} of them are drawn." if len(y) > MOST_POINTS else ""
    st.caption(
        f"{len(y):,} stays with both modalities.{drawn} A modality alone is the mean of the log-odds of its levels. "
        "Dotted: where it raises an alarm, set so that each raises as many alarms as the whole model at its threshold."
    )
    st.markdown("**Who was right**")
    table = who_was_right(voices.right(y)[:, [voices[name] for name in _THREE]])
    pickable(right_table(table), definitions(table), "right", config=_columns(), alt="Who was right, eight ways")
    st.markdown("**Each part beside the whole model**")
    st.html(plain_table(voice_table(against_fused(voices, y))))
    st.caption(
        "Right: an alarm for a long stay, or none for another. Intervals: Wilson, 95 %. p: McNemar's exact test that "
        "the part alone is right as often as the whole model alone, adjusted over the parts (Holm)."
    )


def title(voices: Voices) -> str:
    """On how many stays ECG and health record disagree, in a line."""
    ecg, ehr = (voices.alarm[:, voices[name]] for name in _THREE[:2])
    n = int((ecg != ehr).sum())
    return f"ECG and health record disagree on {n:,} of {len(ecg):,} stays" if n else "They never disagree"


def sides(voices: Voices, y: np.ndarray) -> str:
    """Whose side the whole model takes where they disagree, and how often each is right there."""
    ecg, ehr, fused = (voices.alarm[:, voices[name]] for name in _THREE)
    differ = ecg != ehr
    n = int(differ.sum())
    if n == 0:
        return f"ECG and health record say the same of all {len(ecg):,} stays."
    long = y[differ] == 1

    def share(which: np.ndarray) -> str:
        one = rate("", "", int(which.sum()), n)
        return estimate(one.value, one.lo, one.hi)

    return (
        f"There the whole model sides with the health record in {share(fused[differ] == ehr[differ])} and is right in "
        f"{share(fused[differ] == long)}; the health record is right in {share(ehr[differ] == long)} (n = {n:,}), the "
        "ECG in the others."
    )


def right_table(table: pd.DataFrame) -> pd.DataFrame:
    """`who_was_right` as it is shown."""
    out = pd.DataFrame({VOICE_WORDS[name]: table[name].map({True: "right", False: "wrong"}) for name in _THREE})
    out["n"] = table["n"]
    out["Share"] = 100 * table["share"]
    out["95 %"] = [interval(low, high) for low, high in zip(table["lo"], table["hi"], strict=True)]
    return out


def definitions(table: pd.DataFrame) -> list[tuple[str, ...]]:
    """The codes of each row of `who_was_right`."""
    rows = zip(*(table[name] for name in _THREE), strict=True)
    return [
        tuple(f"{'right' if right else 'wrong'}:{name}" for name, right in zip(_THREE, row, strict=True))
        for row in rows
    ]


def voice_table(found: pd.DataFrame) -> pd.DataFrame:
    """`against_fused` as it is shown."""
    alone = found["voice"] == FUSED
    return pd.DataFrame(
        {
            "Part": found["voice"].map(VOICE_WORDS),
            "Right": [estimate(*row) for row in zip(found["share"], found["lo"], found["hi"], strict=True)],
            "n": found["n"].map("{:,}".format),
            "Right where the model is wrong": found["only_voice"].map("{:,}".format).where(~alone, "–"),
            "Wrong where it is right": found["only_fused"].map("{:,}".format).where(~alone, "–"),
            "p": ["–" if p != p else "< 0.001" if p < 0.001 else f"{p:.3f}" for p in found["p"]],
        }
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    words = {VOICE_WORDS[name]: column.TextColumn(width=130) for name in _THREE}
    return words | {
        "n": column.NumberColumn(format="localized", width=70),
        "Share": column.NumberColumn(format="%.1f %%", width=70),
    }
