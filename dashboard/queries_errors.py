"""The predictions that a page of errors is about in; their facts, alarms, slices and trees, each made once, out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from threadpoolctl import threadpool_limits

from dashboard.threshold_paths import alarms
from lemof_core.evaluation.disagreement import FUSED, Voices, voices_of
from lemof_core.evaluation.error_tree import Node, grow_tree
from lemof_core.evaluation.facts import Fact, Facts, facts_of
from lemof_core.evaluation.losses import Loss, loss
from lemof_core.evaluation.slices import Search, find_slices

VOICE_WORDS = {
    FUSED: "Whole model",
    "ecg": "ECG alone",
    "ehr": "Health record alone",
    "ecg_1": "ECG level 1, low",
    "ecg_2": "ECG level 2, mid",
    "ecg_3": "ECG level 3, high",
    "ehr_1": "EHR level 1, low",
    "ehr_2": "EHR level 2, mid",
    "ehr_3": "EHR level 3, high",
    "cross": "Cross-modal branch",
}


# Store URL, revision, run, fingerprint of the population, (path, threshold) each.
Key = tuple[str, str, str, str, tuple[tuple[str, float], ...]]


@dataclass(frozen=True)
class Judged:
    """The predictions of a population (N rows) and everything that errors are looked at by.

    frame: the columns of `read_analysis.analysed`; alarm (N,); facts: what is known of each stay, and which voice was
    right; both (M,): the rows with both modalities; voices: of these rows, none where there are none.
    """

    frame: pd.DataFrame
    alarm: np.ndarray
    facts: Facts
    both: np.ndarray
    voices: Voices | None

    @property
    def y(self) -> np.ndarray:
        """(N,) 1: a long stay."""
        return self.frame["label"].to_numpy()

    def loss(self, kind: str) -> Loss:
        """The errors of a kind of `losses.LOSSES`."""
        return loss(kind, self.y, self.frame["p"].to_numpy(float), self.alarm)


def fingerprint(frame: pd.DataFrame) -> str:
    """A text that tells populations of one run apart, whatever they were chosen by."""
    parts = (frame["stay_id"].to_numpy(np.int64), frame["p"].to_numpy(float))
    return hashlib.blake2b(b"".join(part.tobytes() for part in parts), digest_size=12).hexdigest()


# Shared by all sessions and changed by nobody: as data it would be copied on every rerun.
@st.cache_resource(max_entries=3, show_spinner=False)
def judged(key: Key, _frame: pd.DataFrame) -> Judged:
    """The population held against the thresholds of the key."""
    alarm = alarms(_frame, dict(key[-1]))
    both = np.flatnonzero((_frame["path"] == "both").to_numpy())
    voices = voices_of(_frame.iloc[both], alarm[both]) if len(both) else None
    facts = facts_of(_frame)
    if voices is not None:
        facts = facts.and_also(_verdicts(voices, _frame["label"].to_numpy()[both], both, len(_frame)))
    return Judged(_frame, alarm, facts, both, voices)


def _verdicts(voices: Voices, y: np.ndarray, both: np.ndarray, n: int) -> Facts:
    """Which voice was right and which wrong, as facts; neither of a stay without an ECG."""
    right = voices.right(y)
    facts, columns = [], []
    for index, name in enumerate(voices.names):
        for verdict, holds in (("right", right[:, index]), ("wrong", ~right[:, index])):
            column = np.zeros(n, dtype=bool)
            column[both] = holds
            columns.append(column)
            said = VOICE_WORDS[name]
            said = said if said.startswith("E") else said[0].lower() + said[1:]
            facts.append(Fact(f"{verdict}:{name}", f"{said} {verdict}", VOICE_WORDS[name], "verdict"))
    return Facts(tuple(facts), np.column_stack(columns))


@st.cache_data(max_entries=32, show_spinner="Searching for slices")
def search(
    key: Key,
    kind: str,
    kinds: tuple[str, ...],
    depth: int,
    fewest: int,
    rank: str,
    _judged: Judged,
) -> tuple[Search, tuple[Fact, ...]]:
    """The slices of the facts of some kinds, and these facts."""
    counted, facts = _counted(_judged, kind, kinds)
    subjects = _judged.frame["subject_id"].to_numpy()[counted.counted]
    factors = np.array([fact.factor for fact in facts.facts])
    # Matrix products on all cores would stall every other session for seconds.
    with threadpool_limits(1):
        found = find_slices(facts.holds, factors, counted.error, subjects, depth=depth, fewest=fewest, rank=rank)
    return found, facts.facts


@st.cache_data(max_entries=32, show_spinner="Growing the tree")
def tree(
    key: Key,
    kind: str,
    kinds: tuple[str, ...],
    fewest: int,
    _judged: Judged,
) -> tuple[list[Node], tuple[Fact, ...]]:
    """The error tree of the facts of some kinds, and these facts."""
    counted, facts = _counted(_judged, kind, kinds)
    subjects = _judged.frame["subject_id"].to_numpy()[counted.counted]
    return grow_tree(facts.holds, counted.error, subjects, fewest=fewest), facts.facts


def _counted(judged: Judged, kind: str, kinds: tuple[str, ...]) -> tuple[Loss, Facts]:
    """The errors, and the facts of the stays that they are counted over."""
    errors = judged.loss(kind)
    return errors, Facts(judged.facts.facts, judged.facts.holds[errors.counted]).of_kinds(kinds)
