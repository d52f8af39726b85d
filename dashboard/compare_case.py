"""A stay and two runs in; what each run said of it, side by side, drawn: every panel under its own run and stay."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import queries_case
from dashboard.case_branches import effect_in_short
from dashboard.case_panel import panel_title, stamped
from dashboard.charts.risk import risk_scale
from dashboard.charts.waterfall import port_label, reach, steps, sum_in_words, waterfall
from dashboard.cohort_return import CASE as CASE_PAGE
from dashboard.cohort_return import case_query
from dashboard.compare_churn import CASE
from dashboard.compare_pairs import URL, Pair
from dashboard.compare_words import run_name, signed_3
from dashboard.facts import FACTS, grouped
from dashboard.plain_table import plain_table
from dashboard.queries_case import Case, Explained
from dashboard.stale import SubjectChange
from dashboard.wording import care_unit, interval, probability, signed

N_FACTS = 5
PLAIN: dict[str, Any] = {"width": "stretch", "theme": "streamlit", "config": {"displayModeBar": False}}


def draw_case(url: str, revision: str, pair: Pair) -> None:
    """The field for a stay stands above the two runs' views of it, or the sentence why there are none."""
    st.subheader("One stay under both runs")
    with st.container(width=260):
        asked = st.text_input("Stay", key=CASE, placeholder="number of a stay", **URL).strip()
    change = SubjectChange("compare_case", parameter=CASE)
    stay_id = int(asked) if asked.isascii() and asked.isdigit() else None
    with change.begins(stay_id):
        if stay_id is None:
            st.caption("Tick a row above, or write the number of a stay." if not asked else "A stay is a number.")
        else:
            _both(url, revision, pair, stay_id)
    change.ends()


def _both(url: str, revision: str, pair: Pair, stay_id: int) -> None:
    runs = {"A": pair.first, "B": pair.second}
    cases = {name: queries_case.case_of(url, revision, stay_id, str(run["run_id"])) for name, run in runs.items()}
    case = cases["A"]
    if case is None:
        st.error(f"The store holds no ICU stay {stay_id}.")
        return
    of_nobody = [name for name, one in cases.items() if one is None or one.prediction is None]
    if of_nobody:
        st.info(f"Stay {stay_id} has no prediction of run {' and '.join(of_nobody)}.")
        return
    panel_title(case, "compared", _title(case, cases["B"]), _who(case))
    if pair.frame.empty or not (pair.frame["stay_id"] == stay_id).any():
        st.caption("It is none of the stays compared above: another split, or left out with the deaths.")
    axis = _shared_axis(list(cases.values()))
    for column, (name, one) in zip(st.columns(2, gap="medium"), cases.items(), strict=True):
        if one is not None:
            # A key of its own: what another run said never stands, however briefly, under this one's name.
            with column.container(key=f"compare-case-{name}-{one.run_id}", gap="xsmall"):
                _one_run(url, revision, name, one, runs[name], pair, axis)


def _shared_axis(cases: list[Case | None]) -> tuple[float, float] | None:
    """The ends of one axis for the waterfalls of both runs, so that as long a step is as large; None without any."""
    reached = [
        reach(one.branches, base=float(one.calibration["base_logit"]), total=float(one.prediction["logit"]),
              scale="log-odds")
        for one in cases
        if one is not None and one.prediction is not None and one.calibration is not None and not one.branches.empty
    ]  # fmt: skip
    return (min(low for low, _ in reached), max(high for _, high in reached)) if reached else None


def _title(case: Case, other: Case | None) -> str:
    values = [float(one.prediction["p"]) for one in (case, other) if one is not None and one.prediction]
    return f"Stay {case.stay_id}: A says {probability(values[0])}, B says {probability(values[1])}"


def _who(case: Case) -> str:
    facts = case.facts
    outcome = (
        "died before the cut"
        if case.died_before_cut
        else ["no long stay", "a long stay"][case.label]
        if case.label is not None
        else ""
    )
    words = [str(facts["sex"]), str(facts["age_years"]), care_unit(facts["first_careunit"]), outcome]
    return " · ".join(filter(None, words))


def _one_run(
    url: str,
    revision: str,
    name: str,
    case: Case,
    run: dict[str, Any],
    pair: Pair,
    axis: tuple[float, float] | None,
) -> None:
    said = case.prediction or {}
    panel_title(case, f"run-{name.lower()}", f"Run {name}", f"{run_name(run)} · {said['split']} split")
    cut = (pair.cuts.first if name == "A" else pair.cuts.second)[said["path"]]
    p = float(said["p"])
    verdict = "alarm" if p >= cut else "no alarm"
    base = None if case.calibration is None else float(case.calibration["base_rate"])
    number = f'<span class="case-p" data-testid="p-{name.lower()}">{probability(p)}</span>'
    ends = f'<span class="case-interval">{interval(said["p_lo"], said["p_hi"]) or "no interval"}</span>'
    verdict_at = f'<span class="case-base">{verdict} at {probability(cut)}</span>'
    scale = risk_scale(p, said["p_lo"], said["p_hi"], base_rate=base, threshold=cut)
    risk = stamped(case, f"risk-{name.lower()}", f'<div class="case-risk">{number} {ends}{verdict_at}</div>{scale}')
    st.markdown(risk, unsafe_allow_html=True)  # st.html would leave the scale out: it lets no SVG pass
    _branches(case, name, axis)
    if said.get("array_row") is not None and not pd.isna(said["array_row"]):
        explained = queries_case.explained(url, revision, case.run_id, int(said["array_row"]), str(said["path"]))
    else:
        explained = None
    _facts(case, name, explained, queries_case.variables(url, revision))
    st.page_link(CASE_PAGE, label=f"Open the case under run {name}", query_params=case_query(case.stay_id, case.run_id))


def _branches(case: Case, name: str, axis: tuple[float, float] | None) -> None:
    """Draw the waterfall of the run's inner predictions and what each of them says by itself, on the shared axis."""
    if case.branches.empty or case.calibration is None or case.prediction is None:
        st.caption("This run has no inner predictions stored.")
        return
    base, total = float(case.calibration["base_logit"]), float(case.prediction["logit"])
    words = sum_in_words(base, steps(case.branches, "log-odds"), total)
    figure = waterfall(case.branches, base=base, total=total, scale="log-odds", ends=axis)
    alt = f"Waterfall of the log-odds of run {name}: {words}"
    st.plotly_chart(figure, key=f"compare-waterfall-{name}-{case.run_id}-{case.stay_id}", alt=alt, **PLAIN)
    table = ports_table(case.branches)
    effect = (
        f'<small data-testid="input-effect">{effect_in_short(case.effect)} (log-odds).</small>' if case.effect else ""
    )
    st.html(stamped(case, f"ports-{name.lower()}", f"{plain_table(table)}{effect}"))


def ports_table(branches: pd.DataFrame) -> pd.DataFrame:
    """One row per inner prediction: what it says by itself, and how far it moves the prediction."""
    return pd.DataFrame(
        {
            "Inner prediction": [port_label(str(port)) for port in branches["port"]],
            "says (log-odds)": [signed(float(value)) for value in branches["logit"]],
            "moves by (log-odds)": [signed_3(float(value)) for value in branches["phi_logit"]],
        }
    )


def _facts(case: Case, name: str, explained: Explained | None, variables: pd.DataFrame) -> None:
    if explained is None:
        st.caption("This run was scored without attributions: no facts can be named.")
        return
    table = facts_table(explained, case.effect, variables)
    against = f"against the mean of {explained.n_usual:,} stays" if explained.n_usual else "against the baseline"
    title = f"<small>The {len(table)} strongest facts, {against} (log-odds)</small>"
    st.html(stamped(case, f"facts-{name.lower()}", f"{title}{plain_table(table)}"))


def facts_table(explained: Explained, effect: dict[str, Any] | None, variables: pd.DataFrame) -> pd.DataFrame:
    """The facts of the largest absolute attribution, the strongest first."""
    parts = grouped(explained, effect)
    strongest = sorted(parts, key=lambda fact: (-abs(parts[fact]), fact))[:N_FACTS]
    labels = {"ecg": "ECG"} | {fact: words for fact, (words, _) in FACTS.items()}
    known = [labels.get(fact) or _label(fact, variables) for fact in strongest]
    return pd.DataFrame({"Fact": known, "moves by (log-odds)": [signed_3(parts[fact]) for fact in strongest]})


def _label(fact: str, variables: pd.DataFrame) -> str:
    return str(variables.at[fact, "label"]) if fact in variables.index else fact.replace("_", " ").capitalize()
