"""The browser of stays in, the facets in the side panel drawn with their counts and the reader's filters out.

All facets are bound to the URL. Each stands above what it would leave: the counts are those of the stays that satisfy
all other filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import streamlit as st

from cohort_db.browse import Browser
from cohort_db.stay_filters import ECG as OF_ECG
from cohort_db.stay_filters import SPLITS, Filters
from cohort_db.tally import Tally
from dashboard.cohort_filters import ECG, QUALITY, RACES, SEXES, VERDICTS, WHERE, outcome_words
from dashboard.facet_brush import Scale, draw_brush
from dashboard.facet_counts import facet_counts
from dashboard.threshold_paths import PATHS, start, told
from dashboard.wording import Definition, care_unit

URL: dict[str, Any] = {"bind": "query-params"}
# Widgets of the page in the order of the URL; their keys are the parameters.
KEYS = (
    "q", "where", "rule", "split", "sex", "age", "race", "unit", "disease", "ecg", "quality", "outcome", "p", "error",
    "verdict", "thr", "thr_ehr",
)  # fmt: skip
UNIT_SCALE = Scale(0.0, 1.0, 0.01)
_AUDIT = "As written at admission, in six groups. For audits: the model never reads it."
_CODED = "Coded at discharge: unknown at the time of the prediction, never read by the model. Any of those chosen."


class Facets:
    """The facets of one run of the page: drawn first, and their counts once it is known what they ask for."""

    def __init__(self, browser: Browser, rules: dict[str, str], tuned: dict[str, float], defined: Definition) -> None:
        self._browser, self._rules, self._tuned, self._defined = browser, rules, tuned, defined
        self._below: dict[str, tuple[Any, Callable[[str], str], list[str] | None]] = {}
        self._brushes: dict[str, tuple[Any, str, Scale]] = {}
        self.not_known: list[str] = []  # what the URL asks for and no facet offers, in words

    def draw(self, *, paths: list[str], age: Scale | None) -> Filters:
        """The facets stand in the side panel; what they are set to comes back.

        Args:
            paths: those of the run's predictions, none without a run; age: the ages there are.
        """
        with st.sidebar:
            asked: dict[str, Any] = {"q": st.text_input("Stay or subject id", key="q", placeholder="e.g. 3045", **URL)}
            asked["q"] = asked["q"].strip()
            if st.session_state.get("where") == []:
                # The URL does not hold an empty choice, and a link without `where` is one to the study cohort.
                st.session_state["where"] = list(WHERE)
            asked["where"] = self._choice("Cohort", "where", WHERE, default=["in"])
            if set(asked["where"]) == set(WHERE):
                asked["where"] = ()
            if self._rules and asked["where"] != ("in",):
                asked["rule"] = self._many("Left out because not", "rule", lambda name: self._rules.get(name, name))
            asked["split"] = self._choice("Split", "split", {name: name for name in SPLITS})
            st.markdown("**Person and stay**")
            asked["sex"] = self._choice("Sex", "sex", SEXES)
            asked["age"] = self._range("Age in years", "age", age) if age is not None else None
            asked["race"] = self._choice("Race", "race", RACES, told=_AUDIT)
            asked["unit"] = self._many("Care unit", "unit", care_unit)
            asked["disease"] = self._many("Disease group (retrospective)", "disease", str, told=_CODED)
            asked["ecg"] = self._choice("ECG before the prediction", "ecg", ECG, values="quality")
            asked["quality"] = self._choice("Quality of the ECG", "quality", QUALITY)
            st.markdown("**Outcome and prediction**")
            asked["outcome"] = self._choice("Outcome", "outcome", outcome_words(self._defined))
            if paths:
                asked |= self._of_prediction(paths)
        return Filters(**{name: value for name, value in asked.items() if value is not None})

    def draw_counts(self, filters: Filters, counted: Tally) -> None:
        """The counts stand beside their facets."""
        for key, (place, say, order) in self._below.items():
            place.html(facet_counts(counted.by[key], say, order=order))
        for key, (place, what, scale) in self._brushes.items():
            bins = binned(counted.ages, scale) if key == "age" else {"p": counted.p, "error": counted.error}[key]
            chosen = getattr(filters, key) or (scale.low, scale.high)
            with place:
                draw_brush(what, key, np.zeros(scale.n_bars) if bins is None else bins, scale, chosen)

    def _of_prediction(self, paths: list[str]) -> dict[str, Any]:
        out: dict[str, Any] = {"p": self._range("Probability", "p", UNIT_SCALE)}
        out["error"] = self._range("Error, |p − outcome|", "error", UNIT_SCALE)
        words = VERDICTS.__getitem__
        self._check("At the threshold", "verdict", set(VERDICTS.values()))
        pills: dict[str, Any] = {"format_func": words, "selection_mode": "multi", "key": "verdict", **URL}
        out["verdict"] = tuple(st.pills("At the threshold", list(VERDICTS), **pills) or ())
        cuts = {}
        for path, key in (("both", "thr"), ("ehr", "thr_ehr")):
            if path in paths:
                # Empty until it is set, so that a link may name the tuned one: a default is taken out of the URL again.
                tuned = start(self._tuned, path)
                asked: dict[str, Any] = {"key": key, "help": told(self._tuned, path), "step": 0.01, **URL}
                found = st.number_input(
                    f"Threshold {PATHS[path]}", 0.0, 1.0, None, format="%.3f", placeholder=f"{tuned:.3f}", **asked
                )
                cuts[path] = tuned if found is None else float(found)
        alone = next(iter(cuts.values()), 0.5)
        return out | {"thr": cuts.get("both", alone), "thr_ehr": cuts.get("ehr", alone)}

    def _choice(
        self,
        label: str,
        key: str,
        options: dict[str, str],
        *,
        default: list[str] | None = None,
        told: str | None = None,
        values: str | None = None,
    ) -> tuple[str, ...]:
        """A few options as pills; where everybody has the same one, there is nothing to choose.

        Args:
            values: the facet that the options are groups of, where it is another one: it has the counts.
        """
        present = set(self._browser.values(values or key))
        if key == "where":
            present = set(WHERE) if self._rules else {"in"}
        if values == "quality":
            present = {name for name, of in OF_ECG.items() if not present.isdisjoint(of)}
        offered = [name for name in options if name in present]
        self._check(label, key, {options[name] for name in offered})
        if len(offered) < 2:
            return ()
        # No counts in the labels: the URL holds the options as they are written.
        say = options.__getitem__
        chosen = st.pills(
            label, offered, format_func=say, selection_mode="multi", key=key, default=default, help=told, **URL
        )
        if values is None:
            self._below[key] = (st.empty(), say, offered)
        return tuple(chosen or ())

    def _many(self, label: str, key: str, say: Callable[[str], str], *, told: str | None = None) -> tuple[str, ...]:
        """Many options as a multiselect."""
        offered = sorted(self._browser.values(key), key=say)
        self._check(label, key, {say(name) for name in offered})
        if not offered:
            return ()
        found = st.multiselect(label, offered, format_func=say, placeholder="Any", key=key, help=told, **URL)
        self._below[key] = (st.empty(), say, None)
        return tuple(found)

    def _range(self, label: str, key: str, scale: Scale) -> tuple[Any, Any] | None:
        """A slider under a histogram to brush."""
        self._brushes[key] = (st.container(), label, scale)
        low, high, step = (int(one) if scale.whole else one for one in (scale.low, scale.high, scale.step))
        ends = (low, high)
        asked = st.query_params.get_all(key)
        if asked and not (len(asked) == 2 and all(_between(one, low, high) for one in asked)):
            self.not_known.append(f"{label} {' to '.join(asked)}")
        chosen: Any = st.slider(label, low, high, ends, step, key=key, label_visibility="collapsed", **URL)
        chosen = tuple(sorted(chosen))  # a link may name the ends the other way round
        return None if chosen == ends else chosen

    def _check(self, label: str, key: str, offered: set[str]) -> None:
        """Note what the URL asks for that is not offered; Streamlit drops it without a word."""
        self.not_known += [f"{label} {one}" for one in st.query_params.get_all(key) if one and one not in offered]


def _between(text: str, low: float, high: float) -> bool:
    try:
        return low <= float(text) <= high
    except ValueError:
        return False


def binned(ages: Mapping[int, int], scale: Scale) -> np.ndarray:
    """Stays by year of age as the bars of the scale, each of as many whole years."""
    out = np.zeros(scale.n_bars, dtype=np.int64)
    for year, n in ages.items():
        out[int((year - scale.low) // scale.bar)] += n
    return out


def without(name: str, age: Scale | None) -> Any:
    """The value of the facet that asks for nothing, for the buttons that remove a filter."""
    whole = (round(age.low), round(age.high)) if age is not None else None
    of_ranges = {"age": whole, "p": (0.0, 1.0), "error": (0.0, 1.0)}
    return ({"q": "", "where": list(WHERE), "thr": None, "thr_ehr": None} | of_ranges).get(name, [])
