"""Writing what runs said: once, whole, and never changed; a number that is absent is told from one that failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from store_support import MakeStore, add_cohort, make_store, run_row

from cohort_db import read_results
from cohort_db.arrays import ArrayStore
from cohort_db.errors import InputMistake
from cohort_db.results import add_run, add_scored, replace_metrics, scored_sample_ids
from cohort_db.store import Store

__all__ = ["make_store"]

CALIBRATION = {"path": "both", "slope": 1.1, "intercept": -0.2, "threshold": None, "n": 40, "events": 11}
CALIBRATION |= {"base_logit": -0.9, "base_p": 0.3, "base_rate": 0.28, "n_base": 160}
CHOICE = {"modality": "ecg", "level": 2, "mean_abs_phi": 0.4, "weight": 1.0, "frequency": 0.8}
CHOICE |= {"is_k_star": True, "is_cross_level": False, "cross_frequency": None, "auroc": 0.61}
WEIGHT = {"path": "both", "stage": "G_ecg", "input": "intercept", "weight": 0.5, "mean": 0.0, "scale": 1.0}
WEIGHT |= {"lo": 0.1, "hi": 0.9}
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def _add(store: Store, run: dict[str, Any] | None = None, **changed: Any) -> None:
    parts = {"calibrations": [CALIBRATION], "level_choices": [CHOICE], "stage_weights": [WEIGHT]} | changed
    add_run(store, run or run_row(), **parts)


def _scored(*stays: int, logit: float = 0.5) -> dict[str, Any]:
    """What `add_scored` takes for samples los-<stay>; the numbers tell the stay."""
    ids = [f"los-{k}" for k in stays]
    n = len(ids)
    base = {"sample_id": ids, "split": "test", "path": "both", "logit_raw": logit}
    predictions = pd.DataFrame(base | {"logit": [float(k) for k in stays], "p": 0.6, "p_lo": None, "p_hi": None})
    levels = [(i, m, level) for i in ids for m in ("ecg", "ehr") for level in (1, 2, 3)]
    scores = pd.DataFrame(levels, columns=["sample_id", "modality", "level"])
    ports = pd.DataFrame(
        [(i, port) for i in ids for port in ("cross", "ecg_1", "ehr_3")], columns=["sample_id", "port"]
    )
    effects = pd.DataFrame({"sample_id": ids, "v_none": -1.0, "v_ecg": -0.5, "v_ehr": 0.25, "v_both": 1.0})
    return {
        "predictions": predictions,
        "level_scores": scores.assign(logit=0.1, phi_logit=np.float32(0.2), phi_prob=0.3),
        "branch_values": ports.assign(logit=0.1, phi_logit=0.2, phi_prob=0.3),
        "input_effects": effects.assign(n_background=np.int32(256)),
        "arrays": {
            "saliency": np.array(stays, np.float16)[:, None].repeat(4, 1),
            "tokens": np.arange(n, dtype=np.int16),
        },
    }


def _ready(make_store: MakeStore) -> Store:
    """A store with a cohort, a run and its two arrays."""
    store = make_store()
    add_cohort(store, 6)
    _add(store)
    arrays = ArrayStore(store, "run-a")
    arrays.create("saliency", (4,), "float16", {"bin": 4}, "")
    arrays.create("tokens", (), "int16", {}, "")
    return store


# Runs


def test_a_run_comes_back_as_it_was_added(make_store: MakeStore) -> None:
    store = make_store()
    _add(store)
    assert read_results.run(store, "run-a") == run_row()
    assert read_results.calibrations(store, "run-a").replace({np.nan: None}).to_dict("records") == [CALIBRATION]
    choices = read_results.level_choices(store, "run-a")
    assert choices.replace({np.nan: None}).to_dict("records") == [CHOICE]
    assert read_results.stage_weights(store, "run-a").to_dict("records") == [WEIGHT]


def test_the_same_run_again_changes_nothing_though_the_clock_differs(make_store: MakeStore) -> None:
    store = make_store()
    _add(store)
    config = {"levels": (1, 2, 3), "lr": 0.001}  # other order, a tuple: the same document
    again = run_row(config=config, seed=np.int64(0), created_at=datetime(2027, 1, 1), fit_report={"seconds": 9})
    _add(store, again, calibrations=[CALIBRATION | {"n": np.int32(40)}])
    assert read_results.run(store, "run-a") == run_row()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"run": run_row(seed=1)}, "another run"),
        ({"run": run_row(config={"lr": 0.1})}, "another run"),
        ({"calibrations": [CALIBRATION | {"slope": 1.2}]}, "another calibration"),
        ({"calibrations": []}, "another calibration"),
        ({"level_choices": [CHOICE, CHOICE | {"level": 1}]}, "another level_choice"),
        ({"stage_weights": [WEIGHT | {"lo": None}]}, "another stage_weight"),
    ],
)
def test_another_run_of_the_same_name_is_refused(make_store: MakeStore, changed: dict[str, Any], named: str) -> None:
    store = make_store()
    _add(store)
    with pytest.raises(InputMistake, match=f"run run-a is stored with {named}: runs are never changed"):
        _add(store, **changed)
    assert read_results.run(store, "run-a") == run_row()
    assert len(read_results.level_choices(store, "run-a")) == 1


def test_a_run_with_a_bad_part_is_not_stored_at_all(make_store: MakeStore) -> None:
    store = make_store()
    for bad, told in (
        ({"stage_weights": [WEIGHT | {"scale": np.nan}]}, r"stage_weight\.scale"),
        ({"calibrations": [CALIBRATION, CALIBRATION]}, "given twice"),
        ({"level_choices": [{"modality": "ecg"}]}, "lack 'level'"),
    ):
        with pytest.raises(InputMistake, match=told):
            _add(store, **bad)
        assert read_results.runs(store).empty


# Scores


def test_scores_come_back_as_they_were_added(make_store: MakeStore) -> None:
    store = _ready(make_store)

    @settings(max_examples=25, deadline=None)
    @given(numbers=st.lists(FINITE, min_size=6, max_size=6), bounds=st.none() | st.tuples(FINITE, FINITE))
    def holds(numbers: list[float], bounds: tuple[float, float] | None) -> None:
        run_id = f"run-{hash((tuple(map(float.hex, numbers)), bounds))}"
        _add(store, run_row(run_id))
        given_parts = _scored(1, 2) | {"arrays": {}}
        p_lo, p_hi = bounds or (None, None)
        predictions = given_parts["predictions"].assign(logit=numbers[:2], p_lo=p_lo, p_hi=p_hi)
        scores = given_parts["level_scores"].assign(phi_logit=numbers * 2)
        add_scored(store, run_id, **given_parts | {"predictions": predictions, "level_scores": scores})
        stored = read_results.predictions(store, run_id)
        assert stored["logit"].tolist() == numbers[:2]
        assert stored["p_lo"].tolist() == [p_lo] * 2 if bounds else stored["p_lo"].isna().all()
        assert read_results.level_scores(store, run_id)["phi_logit"].tolist() == numbers * 2
        assert read_results.level_scores(store, run_id, "los-2")["phi_logit"].tolist() == numbers

    holds()


def test_array_rows_follow_predictions_through_batches(make_store: MakeStore) -> None:
    store = _ready(make_store)
    for batch in ((3, 1), (5, 2, 4)):
        add_scored(store, "run-a", **_scored(*batch))
    assert scored_sample_ids(store, "run-a") == {f"los-{k}" for k in range(1, 6)}
    for row in read_results.predictions(store, "run-a").to_dict("records"):
        saliency = read_results.array_row(store, "run-a", "saliency", row["array_row"])
        assert saliency.tolist() == [row["stay_id"]] * 4 == [row["logit"]] * 4
    assert ArrayStore(store, "run-a").verify("saliency")


def test_without_arrays_there_is_no_row(make_store: MakeStore) -> None:
    store = _ready(make_store)
    add_scored(store, "run-a", **_scored(1) | {"arrays": {}})
    prediction = read_results.prediction(store, "run-a", "los-1")
    assert prediction is not None
    assert prediction["array_row"] is None


def test_scores_without_explanations_are_scores(make_store: MakeStore) -> None:
    store = _ready(make_store)
    empty = {name: pd.DataFrame() for name in ("level_scores", "branch_values", "input_effects")}
    add_scored(store, "run-a", **_scored(1) | empty | {"arrays": {}})
    assert scored_sample_ids(store, "run-a") == {"los-1"}
    assert read_results.input_effect(store, "run-a", "los-1") is None


def _with(part: str, change: Any) -> Any:
    return lambda scored: scored | {part: change(scored[part])}


BAD_BATCHES = [
    (_with("predictions", lambda f: f.assign(p_lo=np.nan)), r"prediction\.p_lo"),
    (_with("predictions", lambda f: f.assign(logit=np.nan)), r"prediction\.logit"),
    (_with("predictions", lambda f: f.assign(p=pd.NA)), r"prediction\.p must not be absent"),
    (_with("predictions", lambda f: f.assign(run_id="run-b")), "of another run_id"),
    (_with("predictions", lambda f: pd.concat([f, f])), "given twice"),
    (_with("predictions", lambda f: f.assign(sample_id=["los-2", "los-77"])), "holds no sample los-77"),
    (
        _with("predictions", lambda f: f.assign(sample_id=["los-2", "los-1"])),
        "scored 1 of these samples before, such as los-1",
    ),
    (_with("level_scores", lambda f: f.assign(phi_prob=np.inf)), r"level_score\.phi_prob"),
    (_with("branch_values", lambda f: f.assign(sample_id="los-4")), "branch_value has samples that predictions lacks"),
    (_with("input_effects", lambda f: pd.concat([f, f])), "given twice"),
    (_with("input_effects", lambda f: f.drop(columns="v_none")), "lack 'v_none'"),
    (_with("arrays", lambda a: a | {"tokens": a["tokens"][:1]}), "'tokens' has 1 rows for 2 predictions"),
    (_with("arrays", lambda a: a | {"strange": a["tokens"]}), "run-a has no array 'strange'"),
    (_with("arrays", lambda a: a | {"saliency": a["saliency"] * np.nan}), "finite"),
]


@pytest.mark.parametrize(("spoil", "told"), BAD_BATCHES)
def test_a_bad_batch_is_refused_whole(make_store: MakeStore, spoil: Any, told: str) -> None:
    store = _ready(make_store)
    add_scored(store, "run-a", **_scored(1))
    # Samples nobody scored yet stay in those parts that are not spoilt, so that only the spoilt part can be refused.
    scored = spoil(_scored(2, 3))
    if "level_scores" in scored and set(scored["predictions"]["sample_id"]) != {"los-2", "los-3"}:
        scored |= {name: pd.DataFrame() for name in ("level_scores", "branch_values", "input_effects")}
    with pytest.raises(InputMistake, match=told):
        add_scored(store, "run-a", **scored)
    assert scored_sample_ids(store, "run-a") == {"los-1"}
    assert len(read_results.level_scores(store, "run-a")) == 6
    assert read_results.array_meta(store, "run-a", "saliency")["n_rows"] == 1
    add_scored(store, "run-a", **_scored(2, 3))
    assert read_results.array_row(store, "run-a", "saliency", 2).tolist() == [3.0] * 4
    assert ArrayStore(store, "run-a").verify("saliency")


def test_arrays_that_fell_behind_are_refused(make_store: MakeStore) -> None:
    store = _ready(make_store)
    first = _scored(1)
    add_scored(store, "run-a", **first | {"arrays": {"saliency": first["arrays"]["saliency"]}})
    with pytest.raises(InputMistake, match="different numbers of rows"):
        add_scored(store, "run-a", **_scored(2))


def test_scores_of_an_unknown_run_are_refused(make_store: MakeStore) -> None:
    store = _ready(make_store)
    with pytest.raises(InputMistake, match="the store holds no run run-z"):
        add_scored(store, "run-z", **_scored(1))
    assert scored_sample_ids(store, "run-z") == set()


# Metrics


def _metrics(**changed: Any) -> pd.DataFrame:
    base = {"source": "final", "stratum_kind": "all", "stratum": "all", "deaths": "with", "name": "auroc"}
    numbers = {"value": 0.7, "lo": 0.6, "hi": 0.8, "n": 100, "events": 30, "note": None}
    return pd.DataFrame([base | numbers, base | {"name": "brier"} | numbers | changed])


def test_metrics_are_replaced_on_their_split_alone(make_store: MakeStore) -> None:
    store = _ready(make_store)
    replace_metrics(store, "run-a", "cal", _metrics())
    replace_metrics(store, "run-a", "test", _metrics())
    absent = _metrics(value=None, lo=None, hi=None, note="not estimable, n = 3")
    assert absent["value"].isna().tolist() == [False, True]  # what pandas makes of None
    replace_metrics(store, "run-a", "test", absent.assign(split="test"))
    stored = read_results.metrics(store, "run-a", "test").set_index("name")
    assert stored.loc["brier", "note"] == "not estimable, n = 3"
    assert stored["value"].isna().tolist() == [False, True]
    assert stored.loc["auroc", ["value", "lo", "hi", "n", "events"]].tolist() == [0.7, 0.6, 0.8, 100, 30]
    assert read_results.metrics(store, "run-a", "cal")["value"].tolist() == [0.7, 0.7]
    replace_metrics(store, "run-a", "test", _metrics().iloc[:1])
    assert read_results.metrics(store, "run-a", "test")["name"].tolist() == ["auroc"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (_metrics(value=None, lo=None, hi=None), "has no value and no note"),
        (_metrics(value=np.nan, lo=None, hi=None), "has no value and no note"),
        (_metrics(lo=None), "one end of an interval"),
        (_metrics(value=np.inf), r"metric\.value"),
        (_metrics(n=None), r"metric\.n "),
        (_metrics(name="auroc"), "given twice"),
        (_metrics().assign(split="cal"), "of another split"),
    ],
)
def test_a_metric_that_says_nothing_is_refused(make_store: MakeStore, rows: pd.DataFrame, told: str) -> None:
    store = _ready(make_store)
    replace_metrics(store, "run-a", "test", _metrics())
    with pytest.raises(InputMistake, match=told):
        replace_metrics(store, "run-a", "test", rows)
    assert len(read_results.metrics(store, "run-a", "test")) == 2


def test_metrics_of_an_unknown_run_are_refused(make_store: MakeStore) -> None:
    with pytest.raises(InputMistake, match="the store holds no run run-z"):
        replace_metrics(_ready(make_store), "run-z", "test", _metrics())
