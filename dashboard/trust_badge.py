"""The checks of a case's explanation in, what passed and what failed in words out, and the badge drawn."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.case_panel import stamped
from dashboard.queries_case import Case, Explained

# A correlation with the attributions of redrawn weights from which on the weights did not matter.
ALIKE = 0.5
ERROR_LOGIT, ERROR_SHARE = 0.05, 0.05  # of completeness: in log-odds, or of the gap
_MODALITY = {"ecg": "ECG", "ehr": "health record"}


@dataclass(frozen=True)
class Verdict:
    """One check: its name, whether it passed (None: it could not be made), and the numbers in a sentence."""

    name: str
    passed: bool | None
    words: str


def verdicts(checks: pd.DataFrame, explained: Explained) -> list[Verdict]:
    """Return the three checks; one that fails for either modality has failed.

    Args:
        checks: rows of the table `trust` for this prediction.
    """
    rows: list[dict[Any, Any]] = checks.to_dict("records")
    return [_deletion(rows), _randomisation(rows), _completeness(explained)]


def _deletion(rows: list[dict[Any, Any]]) -> Verdict:
    told = [
        f"{_MODALITY[row['modality']]} {row['deleted_salient']:.2f} against {row['deleted_random']:.2f} "
        f"(at most {row['deleted_random_most']:.2f} of {row['n_random']:.0f})"
        for row in rows
    ]
    passed = all(row["deleted_salient"] > row["deleted_random_most"] for row in rows) if rows else None
    return Verdict(
        "Deletion",
        passed,
        f"Log-odds move without the most salient tenth, against random tenths: {'; '.join(told)}."
        if rows
        else "Not measured: the run was scored by an older program, or without explanations.",
    )


def _randomisation(rows: list[dict[Any, Any]]) -> Verdict:
    known = [row for row in rows if not pd.isna(row["rank_correlation"])]
    told = [f"{_MODALITY[row['modality']]} {row['rank_correlation']:+.2f}".replace("-", "−") for row in known]
    passed = all(abs(row["rank_correlation"]) < ALIKE for row in known) and len(known) == len(rows) if rows else None
    if not rows:
        return Verdict("Weights", None, "Not measured.")
    if not known:
        return Verdict("Weights", False, "The attribution is constant: it says nothing of this patient.")
    return Verdict(
        "Weights",
        passed,
        f"Rank correlation with the attribution of redrawn weights, below {ALIKE:g} where the weights matter: "
        f"{'; '.join(told)}.",
    )


def _completeness(explained: Explained) -> Verdict:
    allowed = max(ERROR_LOGIT, ERROR_SHARE * abs(explained.gap))
    missed = f"The parts miss the prediction's distance from the baseline by {explained.error:.3f} log-odds"
    return Verdict("Completeness", explained.error <= allowed, f"{missed}, {allowed:.3f} are allowed.")


def badge_words(found: list[Verdict]) -> str:
    """Return "3 of 3 checks passed", or which failed."""
    made = [one for one in found if one.passed is not None]
    failed = [one.name.lower() for one in made if not one.passed]
    unmade = [one.name.lower() for one in found if one.passed is None]
    parts = [f"{sum(bool(one.passed) for one in made)} of {len(found)} checks passed"]
    parts += [f"failed: {', '.join(failed)}"] if failed else []
    parts += [f"not made: {', '.join(unmade)}"] if unmade else []
    return "; ".join(parts)


def badge_markup(found: list[Verdict]) -> str:
    """Return the badge, and what was measured beneath it to be opened."""
    state = "fails" if any(one.passed is False for one in found) else "holds"
    rows = "".join(
        f"<li><b>{one.name}: {'passed' if one.passed else 'not made' if one.passed is None else 'failed'}.</b> "
        f"{html.escape(one.words)}</li>"
        for one in found
    )
    note = "The checks test the explanation, not the prediction: a wrong prediction can be explained truly."
    return (
        f'<details class="case-footnote case-trust" data-trust="{state}" data-testid="trust-badge">'
        f"<summary>Trust in this explanation: {badge_words(found)}</summary><ul>{rows}</ul><p>{note}</p></details>"
    )


def trust_badge(case: Case, checks: pd.DataFrame, explained: Explained) -> None:
    """Draw the badge under the reasons."""
    st.html(stamped(case, "trust", "") + badge_markup(verdicts(checks, explained)))
