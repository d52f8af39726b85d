"""Live prediction: the stored road again, mistakes in a sentence, and a service that survives its worker."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohort_db import read, read_results
from cohort_db.store import Store
from dashboard.live_case import stored_case
from dashboard.live_ehr import read_ehr_csv
from dashboard.live_form import charted, template
from lemof_core.errors import ModelMistake
from lemof_core.live import LiveCase, LiveService, LiveTimeout, run_folder
from lemof_core.live.case import case_message, read_case, unpack

AT_ADMISSION = {"age": 70.0, "sex": 1.0}
FEW = {"heart_rate": 90.0, "sbp": 120.0, "spo2": 97.0}


@pytest.fixture(scope="module")
def service() -> Iterator[LiveService]:
    live = LiveService(timeout_s=120)
    yield live
    live.close()


def weights_of(store: Store) -> tuple[str, Path]:
    run = read_results.run(store, read_results.newest_run(store))
    return run["run_id"], run_folder(run["folder"], store.runs_folder)


def charted_at(hour: float, values: dict[str, float], static: dict[str, float] = AT_ADMISSION) -> LiveCase:
    """A patient with one value a variable, all charted at that hour from ICU admission."""
    n = len(values)
    offset_s, unknown = np.full(n, hour * 3600.0), np.full(n, np.nan)
    return LiveCase(tuple(values), offset_s, np.array(list(values.values())), unknown, static)


def with_values(case: LiveCase, hour: float, values: dict[str, float]) -> LiveCase:
    """The case with one more value a variable."""
    more = charted_at(hour, values)
    arrays = {name: np.append(getattr(case, name), getattr(more, name)) for name in ("offset_s", "value")}
    stored = np.append(case.stored_offset_s, more.stored_offset_s)
    return replace(case, variable=(*case.variable, *more.variable), stored_offset_s=stored, **arrays)


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


def test_the_answer_says_what_was_read(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    stay_id = int(read.samples(demo_store)["stay_id"].iloc[0])
    case = stored_case(demo_store, stay_id)
    values = charted(case)
    usable = values[(values["offset_s"] >= 0) & ~(values["stored_offset_s"] > 86_400)]
    given = service.predict(case, folder).given
    assert given["n_values"] == len(usable) and given["n_variables"] == usable["variable"].nunique()
    assert given["static"] == case.static
    catalogue = read.variables(demo_store)
    assert given["n_series"] == int((catalogue["kind"] == "series").sum())


@pytest.mark.parametrize(("hour", "said"), [(30.0, "stored after the prediction"), (-1.0, "more than 24 h before")])
def test_values_outside_the_models_hours_are_named_and_change_nothing(
    demo_store: Store, service: LiveService, hour: float, said: str
) -> None:
    _, folder = weights_of(demo_store)
    case = stored_case(demo_store, int(read.samples(demo_store)["stay_id"].iloc[0]))
    plain, with_more = (service.predict(c, folder) for c in (case, with_values(case, hour, {"heart_rate": 180.0})))
    assert with_more.prediction["logit"] == plain.prediction["logit"]
    assert any(said in note and "24 h after ICU admission" in note for note in with_more.notes)


def test_the_run_says_which_hours_are_read(demo_store: Store, service: LiveService, tmp_path: Path) -> None:
    _, folder = weights_of(demo_store)
    later = tmp_path / "t0-36"
    shutil.copytree(folder, later)
    document = json.loads((later / "model.json").read_text(encoding="utf-8"))
    assert document["extra"]["data"]["t0_hours"] == 24.0
    document["extra"]["data"]["t0_hours"] = 36.0
    (later / "model.json").write_text(json.dumps(document), encoding="utf-8")
    # The last hour before either prediction is the same last column of the same grid.
    at_24 = service.predict(charted_at(23.5, FEW), folder)
    at_36 = service.predict(charted_at(35.5, FEW), later)
    assert at_36.prediction["logit"] == at_24.prediction["logit"]
    with pytest.raises(ModelMistake, match=r"24 h before the prediction at 36 h"):
        service.predict(charted_at(11.5, FEW), later)
    with pytest.raises(ModelMistake, match="at 24 h after ICU admission"):
        service.predict(charted_at(35.5, FEW), folder)


@pytest.mark.parametrize("t0_hours", [24.0, 36.0, 12.0])
def test_every_value_of_the_template_lies_in_the_hours_read(demo_store: Store, t0_hours: float) -> None:
    catalogue = read.variables(demo_store)
    values = read_ehr_csv(template(catalogue, t0_hours).encode()).values
    assert set(values["variable"]) == set(catalogue.loc[catalogue["kind"] == "series", "name"])
    assert values["offset_s"].between((t0_hours - 24) * 3600, t0_hours * 3600).all()


def test_an_ecg_alone_is_refused_for_no_path_was_fitted_for_it(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    predicted = read_results.predictions(demo_store, weights_of(demo_store)[0])
    full = stored_case(demo_store, int(predicted.loc[predicted["path"] == "both", "stay_id"].iloc[0]))
    assert full.signal_mv is not None
    alone = LiveCase(static=full.static, signal_mv=full.signal_mv, fs=full.fs, sig_name=full.sig_name)
    with pytest.raises(ModelMistake, match="no path was fitted for an ECG alone"):
        service.predict(alone, folder)
    unusable = with_values(alone, 3.0, {"temperature": 986.0})
    with pytest.raises(ModelMistake, match="no path was fitted for an ECG alone"):
        service.predict(unusable, folder)
    assert service.predict(with_values(alone, 3.0, FEW), folder).prediction["path"] == "both"


@pytest.mark.parametrize(
    ("static", "missing"), [({}, "age and sex must"), ({"age": 70.0}, "sex must"), ({"sex": 0.0}, "age must")]
)
def test_age_and_sex_must_be_given(
    demo_store: Store, service: LiveService, static: dict[str, float], missing: str
) -> None:
    _, folder = weights_of(demo_store)
    with pytest.raises(ModelMistake, match=missing):
        service.predict(charted_at(3.0, FEW, static), folder)


def test_a_record_sparser_than_any_of_the_fit_is_warned_of_first(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    few = service.predict(charted_at(3.0, FEW), folder)
    assert few.given["n_variables"] == 3 < few.given["fewest"]
    assert few.notes[0].startswith(f"Only 3 of {few.given['n_series']} vital signs")
    every = read_ehr_csv(template(read.variables(demo_store), 24.0).encode()).values
    values = dict(zip(every["variable"], every["value"], strict=True))
    assert not any(note.startswith("Only") for note in service.predict(charted_at(23.0, values), folder).notes)


def test_mistakes_come_back_as_one_sentence(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    with pytest.raises(ModelMistake, match="unknown variable mood"):
        service.predict(charted_at(3.0, {"mood": 1.0}), folder)
    with pytest.raises(ModelMistake, match="no model"):
        service.predict(charted_at(3.0, FEW), folder / "nowhere")
    two_leads = replace(charted_at(3.0, FEW), signal_mv=np.zeros((5000, 2)), sig_name=("I", "II"))
    assert service.predict(two_leads, folder).prediction["path"] == "ehr"


def test_implausible_values_are_left_out_and_named_once_a_variable(demo_store: Store, service: LiveService) -> None:
    _, folder = weights_of(demo_store)
    case = with_values(charted_at(3.0, FEW), 4.0, {"temperature": 98.6})
    case = with_values(with_values(case, 5.0, {"temperature": 99.1}), 6.0, {"lactate": np.inf})
    result = service.predict(case, folder)
    refused = [note for note in result.notes if "is the unit right" in note]
    assert len(refused) == 2 and "2 values" in refused[0] and "98.6, 99.1" in refused[0]
    assert result.given["n_values"] == len(FEW)
    assert result.prediction["logit"] == service.predict(charted_at(3.0, FEW), folder).prediction["logit"]


def test_the_service_starts_a_new_worker_when_the_old_one_died(demo_store: Store) -> None:
    _, folder = weights_of(demo_store)
    with_death = LiveService(timeout_s=120)
    first = with_death.predict(charted_at(3.0, FEW), folder).prediction["logit"]
    assert with_death._worker is not None
    with_death._worker.kill()
    with_death._worker.wait()
    assert with_death.predict(charted_at(3.0, FEW), folder).prediction["logit"] == first
    with_death.close()


def test_a_slow_answer_is_given_up(demo_store: Store) -> None:
    _, folder = weights_of(demo_store)
    hasty = LiveService(timeout_s=0.01)
    with pytest.raises(LiveTimeout, match="longer than"):
        hasty.predict(charted_at(3.0, FEW), folder)
    assert hasty._worker is None


def test_a_case_survives_the_pipe() -> None:
    case = replace(charted_at(1.0, {"sbp": 2.0}), signal_mv=np.ones((4, 2)), fs=250.0, sig_name=("I", "II"))
    again = read_case(*unpack(case_message("predict", case, "x")))
    for name in ("variable", "static", "fs", "sig_name"):
        assert getattr(again, name) == getattr(case, name)
    for name in ("offset_s", "value", "stored_offset_s", "signal_mv"):
        np.testing.assert_array_equal(getattr(again, name), getattr(case, name))
    pd.testing.assert_frame_equal(charted(again), charted(case))
