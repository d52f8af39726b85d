"""Exchanged electrodes and leads that break Einthoven's law: seen in real recordings, and not where all is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mimic_support import SHARED
from synthetic_ecg_support import parameters

from cohort_db.ecg_wfdb import read_signal
from cohort_db.synthetic.ecg_dipole import SIG_NAMES
from cohort_db.synthetic.ecg_record import synthesise_records
from lemof_core.ecg_signal import LEADS, arrange_leads
from lemof_core.live.electrodes import LAWS, electrode_warnings, exchanged

REAL = SHARED / "data" / "ecg-12lead" / "cinc2021"
LEFT_ARM, LEFT_LEG = (1, 0, 2), (2, 1, 0)
Recording = tuple[str, np.ndarray, float]


@pytest.fixture(scope="module")
def recordings() -> list[Recording]:
    """(name, (12, sig_len) mV, fs) of 50 real ECGs, many of them ill."""
    if not REAL.is_dir():
        pytest.skip("the 50 public recordings are not at ../shared/data/ecg-12lead")
    found = []
    for file in sorted(REAL.glob("*.hea")):
        signal = read_signal(file.with_suffix(""))
        found.append((file.stem, arrange_leads(signal.signal_mv, sig_name=signal.sig_name), signal.fs))
    assert len(found) == 50
    return found


def warned(recordings: list[Recording], change=lambda ecg_mv: ecg_mv) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """name -> the warnings, of those that have one."""
    said = {name: electrode_warnings(change(ecg_mv).T, fs=fs, sig_name=LEADS) for name, ecg_mv, fs in recordings}
    return {name: " ".join(sentences) for name, sentences in said.items() if sentences}


def on_right_leg(ecg_mv: np.ndarray, places: tuple[int, int, int]) -> np.ndarray:
    """Electrodes (RA, LA, LL) at `places`; 2 is either leg: both have the potential of one place, but for some µV."""
    at = np.array([np.zeros_like(ecg_mv[0]), ecg_mv[0], ecg_mv[1]])[list(places)]
    at = at + np.random.default_rng(0).normal(0, 0.004, at.shape)
    return exchanged(np.concatenate([[at[1] - at[0], at[2] - at[0]], ecg_mv[2:]]), (0, 1, 2))


def test_no_real_recording_is_warned_of_as_it_is(recordings: list[Recording]) -> None:
    assert warned(recordings) == {}


@pytest.mark.parametrize(("places", "limb"), [(LEFT_ARM, "left arm"), (LEFT_LEG, "left leg")])
def test_the_right_arms_electrode_elsewhere_is_seen_in_49_of_50_and_the_other_limb_is_named(
    recordings: list[Recording], places: tuple[int, int, int], limb: str
) -> None:
    said = warned(recordings, lambda ecg_mv: exchanged(ecg_mv, places))
    assert len(said) >= 49
    assert all(f"most likely with the {limb}'s" in sentence for sentence in said.values())


@pytest.mark.parametrize("places", [(1, 2, 0), (2, 0, 1)])
def test_all_three_electrodes_moved_round_are_seen(recordings: list[Recording], places: tuple[int, int, int]) -> None:
    assert len(warned(recordings, lambda ecg_mv: exchanged(ecg_mv, places))) >= 48


@pytest.mark.parametrize("axis_deg", [-20.0, 15.0, 45.0, 70.0])
def test_synthetic_hearts_are_judged_as_real_ones(axis_deg: float) -> None:
    adu = synthesise_records(parameters(12, axis_deg=axis_deg), np.random.default_rng(4)).adu
    made = [
        (str(number), arrange_leads(record / 200.0, sig_name=SIG_NAMES), 500.0) for number, record in enumerate(adu)
    ]
    assert warned(made) == {}
    for places in (LEFT_ARM, LEFT_LEG):
        assert len(warned(made, lambda ecg_mv, places=places: exchanged(ecg_mv, places))) >= 11


def test_left_arm_for_left_leg_is_not_claimed_to_be_seen(recordings: list[Recording]) -> None:
    assert warned(recordings, lambda ecg_mv: exchanged(ecg_mv, (0, 2, 1))) == {}


@pytest.mark.parametrize(("places", "lead"), [((2, 1, 2), "II"), ((0, 2, 2), "III"), ((2, 2, 0), "I")])
def test_an_electrode_on_the_right_leg_leaves_one_lead_flat(
    recordings: list[Recording], places: tuple[int, int, int], lead: str
) -> None:
    said = warned(recordings, lambda ecg_mv: on_right_leg(ecg_mv, places))
    assert sum(f"Lead {lead} is nearly flat" in sentence for sentence in said.values()) == len(recordings)


@pytest.mark.parametrize("lead", range(6))
def test_a_limb_lead_that_is_inverted_or_of_another_record_breaks_its_laws(
    recordings: list[Recording], lead: int
) -> None:
    def inverted(ecg_mv: np.ndarray) -> np.ndarray:
        return np.where(np.arange(12)[:, None] == lead, -ecg_mv, ecg_mv)

    other = recordings[0][1]

    def mixed(ecg_mv: np.ndarray) -> np.ndarray:
        return np.where(np.arange(12)[:, None] == lead, other[:, : ecg_mv.shape[1]], ecg_mv)

    laws = [law for law, weights in LAWS.items() if weights[lead]]
    for said in (warned(recordings, inverted), warned(recordings[1:], mixed)):
        # Where the lead is nearly flat itself, its sign changes nothing.
        assert len(said) >= 47
        assert all(any(law in sentence for law in laws) for sentence in said.values())


def test_an_exchange_and_its_undoing_give_the_leads_again_and_every_exchange_keeps_the_laws() -> None:
    rng = np.random.default_rng(3)
    ecg_mv = exchanged(rng.normal(size=(12, 500)), (0, 1, 2))
    for places in (LEFT_ARM, LEFT_LEG, (0, 2, 1)):
        swapped = exchanged(ecg_mv, places)
        np.testing.assert_allclose(exchanged(swapped, places), ecg_mv, atol=1e-12)
        for weights in LAWS.values():
            np.testing.assert_allclose(np.array(weights) @ swapped[:6], 0, atol=1e-12)
    # What textbooks say: arms exchanged invert I and exchange II with III and aVR with aVL.
    arms = exchanged(ecg_mv, LEFT_ARM)
    np.testing.assert_allclose(arms[[0, 1, 2, 3, 4, 5]], ecg_mv[[0, 2, 1, 4, 3, 5]] * [[-1], [1], [1], [1], [1], [1]])


def test_what_cannot_be_judged_is_not_warned_of(recordings: list[Recording]) -> None:
    _, ecg_mv, fs = recordings[0]
    arms = exchanged(ecg_mv, LEFT_ARM)
    assert electrode_warnings(arms.T, fs=fs, sig_name=LEADS)
    chest = arms[6:]
    assert electrode_warnings(chest.T, fs=fs, sig_name=LEADS[6:]) == []
    assert electrode_warnings(arms[:, :500].T, fs=fs, sig_name=LEADS) == []
    noise = np.random.default_rng(1).normal(0, 0.2, (5000, 12))
    noise[:, :6] = exchanged(noise.T, (0, 1, 2))[:6].T
    assert electrode_warnings(noise, fs=500, sig_name=LEADS) == []


@pytest.mark.parametrize("every", [2, 5])
def test_a_lower_rate_shows_it_too(recordings: list[Recording], every: int) -> None:
    _, ecg_mv, fs = recordings[0]
    arms = exchanged(ecg_mv, LEFT_ARM)[:, ::every]
    assert electrode_warnings(arms.T, fs=fs / every, sig_name=LEADS)


def test_neither_torch_nor_neurokit_is_loaded_by_the_check(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np; from lemof_core.live.electrodes import electrode_warnings as w;"
        "beat = np.exp(-((np.arange(5000) % 400 - 200) / 12.0) ** 2)[:, None] * np.ones(12);"
        "w(beat, fs=500, sig_name=('I','II','III','aVR','aVL','aVF','V1','V2','V3','V4','V5','V6'));"
        "loaded = {'torch', 'neurokit2'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
