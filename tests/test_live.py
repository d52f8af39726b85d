"""Live prediction: the stored road again, mistakes in a sentence, and a service that survives its worker."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cohort_db import read, read_results
from cohort_db.store import Store
from dashboard.live_case import stored_case
from lemof_core.errors import ModelMistake
from lemof_core.live import LiveCase, LiveService, LiveTimeout, run_folder
from lemof_core.live.case import case_message, read_case, unpack


@pytest.fixture(scope="module")
def service() -> Iterator[LiveService]:
    live = LiveService(timeout_s=120)
    yield live
    live.close()


def weights_of(store: Store):  # type: ignore[no-untyped-def]
    run = read_results.run(store, read_results.newest_run(store))
    return run["run_id"], run_folder(run["folder"], store.runs_folder)


def test_a_stored_samples_own_raw_data_give_its_stored_prediction(demo_store: Store, service: LiveService) -> None:
    run_id, folder = weights_of(demo_store)
    predicted = read_results.predictions(demo_store, run_id)
    chosen = [
        *predicted[predicted["path"] == "both"].head(4).itertuples(),
        *predicted[predicted["path"] == "ehr"].head(2).itertuples(),
    ]
    assert {row.path for row in chosen} == {"both", "ehr"}
    for row in chosen:
        result = service.predict(stored_case(demo_store, row.stay_id), folder)
        assert result.prediction["path"] == row.path
        assert abs(result.prediction["logit"] - row.logit) <= 1e-5
        total = sum(port["phi_logit"] for port in result.branch_values) + result.calibration["base_logit"]
        assert total == pytest.approx(result.prediction["logit"], abs=1e-9)


def test_values_after_t0_are_named_and_change_nothing(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    stay_id = int(read.samples(demo_store)["stay_id"].iloc[0])
    case = stored_case(demo_store, stay_id)
    later = replace(
        case,
        variable=(*case.variable, "heart_rate"),
        offset_s=np.append(case.offset_s, 30 * 3600),
        value=np.append(case.value, 180.0),
        stored_offset_s=np.append(case.stored_offset_s, np.nan),
    )
    plain, with_later = service.predict(case, folder), service.predict(later, folder)
    assert with_later.prediction["logit"] == plain.prediction["logit"]
    assert any("after the prediction time" in note for note in with_later.notes)


def test_mistakes_come_back_as_one_sentence(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    unknown = LiveCase(variable=("mood",), offset_s=np.zeros(1), value=np.ones(1), stored_offset_s=np.full(1, np.nan))
    with pytest.raises(ModelMistake, match="unknown variable mood"):
        service.predict(unknown, folder)
    with pytest.raises(ModelMistake, match="no model"):
        service.predict(LiveCase(), folder / "nowhere")
    alone = LiveCase(p_signal=np.zeros((5000, 2)), sig_name=("I", "II"), units=("mV", "mV"))
    assert service.predict(alone, folder).prediction["path"] == "ehr"


def test_an_implausible_value_is_left_out_and_named(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    case = LiveCase(("temperature",), np.array([3600.0]), np.array([98.6]), np.array([np.nan]), {"age": 70.0})
    assert any("is the unit right" in note for note in service.predict(case, folder).notes)


def test_the_service_starts_a_new_worker_when_the_old_one_died(demo_store: Store) -> None:
    _, folder = weights_of(demo_store)
    with_death = LiveService(timeout_s=120)
    first = with_death.predict(LiveCase(static={"age": 70.0}), folder).prediction["logit"]
    assert with_death._worker is not None
    with_death._worker.kill()
    with_death._worker.wait()
    assert with_death.predict(LiveCase(static={"age": 70.0}), folder).prediction["logit"] == first
    with_death.close()


def test_a_slow_answer_is_given_up(demo_store: Store) -> None:
    _, folder = weights_of(demo_store)
    hasty = LiveService(timeout_s=0.01)
    with pytest.raises(LiveTimeout, match="longer than"):
        hasty.predict(LiveCase(), folder)
    assert hasty._worker is None


def test_a_case_survives_the_pipe() -> None:
    case = LiveCase(
        ("sbp",),
        np.array([1.0]),
        np.array([2.0]),
        np.array([np.nan]),
        {"age": 3.0},
        7,
        np.ones((4, 2)),
        250.0,
        ("I", "II"),
        ("mV", "mV"),
    )
    again = read_case(*unpack(case_message(case, "x")))
    for name in ("variable", "static", "t0_offset_s", "fs", "sig_name", "units"):
        assert getattr(again, name) == getattr(case, name)
    for name in ("offset_s", "value", "stored_offset_s", "p_signal"):
        np.testing.assert_array_equal(getattr(again, name), getattr(case, name))
