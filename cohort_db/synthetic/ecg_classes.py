"""In: ECG parameters. Out: the Gaussian waves of a normal beat and of a ventricular extrasystole, per patient.

What makes which pathology (directions: X left, Y feet, Z back; times in s from the R time of a normal beat):
a bundle branch block delays and turns the end of QRS, and ST-T opposes it; infarction adds an ST vector towards the
injured wall; hyperkalaemia narrows and raises T, flattens P, widens QRS. Textbook criteria: Surawicz and Knilans,
Chou's Electrocardiography in Clinical Practice. Amplitudes were tuned by eye against those criteria.
"""

from __future__ import annotations

import numpy as np

from cohort_db.synthetic.ecg_dipole import DOWER, TIME, WIDTH, X, Y, Z
from cohort_db.synthetic.observed import Values
from cohort_db.synthetic.patients import BoolArray, FloatArray

P_RIGHT, P_LEFT, Q, R_SEPTAL, R_WALL, S, LATE, ST, T_RISE, T_FALL, NOTCH_DOWN, NOTCH_UP = range(12)
_QRS = slice(Q, LATE + 1)
_T = slice(T_RISE, T_FALL + 1)
QRS_ONSET_S = -0.042
NORMAL_QRS_MS = 92.0
#           time   width   X      Y      Z
_NORMAL_BEAT = np.array(
    [
        [-0.135, 0.018, 0.025, 0.070, -0.050],  # P, right atrium: forward and down
        [-0.110, 0.020, 0.055, 0.060, 0.045],  # P, left atrium: left and back
        [-0.026, 0.007, -0.110, -0.020, -0.200],  # septal q: right and forward
        [-0.006, 0.010, 0.700, 0.500, -0.150],  # R of septum and apex
        [0.010, 0.011, 0.650, 0.480, 0.760],  # R of the left wall, backward
        [0.030, 0.010, -0.150, -0.060, 0.300],  # S: basal parts, last
        [0.065, 0.015, 0.000, 0.000, 0.000],  # late forces of a bundle branch block
        [0.115, 0.042, 0.000, 0.000, -0.020],  # ST segment
        [0.225, 0.048, 0.100, 0.065, -0.085],  # T, slow upstroke
        [0.283, 0.034, 0.190, 0.130, -0.130],  # T, fast downstroke
        [0.008, 0.0062, 0.000, 0.000, 0.000],  # QRS notch, down ...
        [0.022, 0.0062, 0.000, 0.000, 0.000],  # ... and up again: no net area
    ]
)
_T_END_S = _NORMAL_BEAT[T_FALL, TIME] + 2.1 * _NORMAL_BEAT[T_FALL, WIDTH]
#           an extrasystole from the right ventricle: no P, wide, opposite ST-T
_ECTOPIC_BEAT = np.array(
    [
        [-0.120, 0.020, 0.000, 0.000, 0.000],
        [-0.110, 0.020, 0.000, 0.000, 0.000],
        [-0.040, 0.016, 0.050, 0.150, -0.150],
        [0.000, 0.024, 0.750, 0.550, 0.650],
        [0.032, 0.025, 0.600, 0.750, 0.950],
        [0.066, 0.019, 0.100, 0.250, 0.350],
        [0.080, 0.020, 0.000, 0.000, 0.000],
        [0.155, 0.045, -0.110, -0.130, -0.170],
        [0.250, 0.055, -0.220, -0.280, -0.320],
        [0.310, 0.042, -0.220, -0.250, -0.300],
        [0.010, 0.006, 0.000, 0.000, 0.000],
        [0.024, 0.006, 0.000, 0.000, 0.000],
    ]
)
# ST vectors that make 1 mV in the lead that shows them best: V3 and V2, aVF, V5.
_ST_DIRECTION = {"ste_ant": (0.28, -0.10, -0.62), "ste_inf": (-0.14, 0.86, 0.12), "std": (0.78, 0.40, -0.25)}
_NOTCH_DIRECTION = np.array([0.70, 0.55, -0.20])


def beat_waves(e: Values, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Waves (n, 12, 5) of the conducted and of the ectopic beat; anatomy that is no parameter varies by chance."""
    n = len(e["af"])
    flags = {name: e[name] > 0 for name in ("af", "lbbb", "rbbb", "ste_ant", "ste_inf", "std", "lvh", "hyperk")}
    waves = np.tile(_NORMAL_BEAT, (n, 1, 1))
    waves[:, : LATE + 1, X:] *= np.exp(0.12 * rng.standard_normal((n, LATE + 1, 1)))
    waves[:, _QRS, X:] += 0.04 * np.abs(waves[:, _QRS, X:]) * rng.standard_normal((n, LATE - Q + 1, 3))
    waves[:, _T, X:] *= e["t_scale"][:, None, None]
    _turn(waves, slice(P_RIGHT, T_FALL + 1), (X, Z), np.deg2rad(9) * rng.standard_normal(n))
    _hypertrophy(waves, flags["lvh"])
    _left_bundle(waves, flags["lbbb"])
    _turn_to_axis(waves, e["axis_deg"])
    # After the turn: the axis of a right bundle branch block is read from the forces before the block shows.
    _right_bundle(waves, flags["rbbb"], e["qrs_ms"])
    _widen(waves, e["qrs_ms"], flags["rbbb"])
    _hyperkalaemia(waves, flags["hyperk"])
    _shift_st(waves, e, flags)
    _notch(waves, e["notch_mv"])
    _time_p_and_t(waves, e)
    waves[flags["af"], P_RIGHT : P_LEFT + 1, X:] = 0.0
    ectopic = np.tile(_ECTOPIC_BEAT, (n, 1, 1))
    # P and QRS only: ST, T and notch have amounts of their own, which the chest's voltage must not blur.
    waves[:, : LATE + 1, X:] *= e["voltage"][:, None, None]
    ectopic[:, :, X:] *= e["voltage"][:, None, None] * np.exp(0.15 * rng.standard_normal((n, 1, 1)))
    return waves, ectopic


def _hypertrophy(waves: FloatArray, lvh: BoolArray) -> None:
    """Tall R of the left wall; strain: ST down and asymmetric inverted T over it."""
    waves[lvh, R_SEPTAL, X:] *= 1.35
    waves[lvh, R_WALL, X:] *= [1.9, 1.4, 2.0]
    waves[lvh, S, X:] *= 1.6
    waves[lvh, ST, X:] += [-0.100, -0.050, -0.070]
    waves[lvh, T_RISE, X:] *= [-1.3, -0.5, 1.2]
    waves[lvh, T_FALL, X:] *= [-0.9, -0.4, 0.9]


def _right_bundle(waves: FloatArray, rbbb: BoolArray, qrs_ms: FloatArray) -> None:
    """The right ventricle comes last: R' in V1, slurred S in I and V6, T inverted in V1 and V2."""
    waves[rbbb, S, X:] = [-0.20, -0.04, 0.02]
    waves[rbbb, LATE, X:] = [-0.44, 0.02, -0.58]
    waves[rbbb, LATE, WIDTH] = 0.019
    waves[rbbb, LATE, TIME] = QRS_ONSET_S + qrs_ms[rbbb] / 1000 - 2.2 * 0.019
    waves[rbbb, T_RISE, Z] *= -0.6
    waves[rbbb, T_FALL, Z] *= -0.6


def _left_bundle(waves: FloatArray, lbbb: BoolArray) -> None:
    """The left ventricle is reached through muscle: no septal q, slow broad R to the left and back, ST-T opposed."""
    waves[lbbb, Q] = [-0.018, 0.011, 0.16, 0.06, 0.05]
    waves[lbbb, R_SEPTAL] = [0.006, 0.017, 0.60, 0.38, 0.62]
    waves[lbbb, R_WALL] = [0.040, 0.020, 0.52, 0.32, 0.88]
    waves[lbbb, S] = [0.070, 0.015, 0.42, 0.12, 0.50]
    waves[lbbb, LATE] = [0.088, 0.008, 0.05, 0.00, 0.05]
    waves[lbbb, ST, X:] += [-0.110, -0.030, -0.170]
    # T is turned round, whatever its size: multiply by the scale it already has.
    waves[lbbb, T_RISE, X:] *= [-1.5, -0.5, 2.6]
    waves[lbbb, T_FALL, X:] *= [-1.0, -0.4, 1.9]
    # The widths above make a QRS of 142 ms; `_widen` starts from the normal 92 ms.
    factor = NORMAL_QRS_MS / 142.0
    waves[lbbb, _QRS, TIME] = QRS_ONSET_S + (waves[lbbb, _QRS, TIME] - QRS_ONSET_S) * factor
    waves[lbbb, _QRS, WIDTH] *= factor


def _turn_to_axis(waves: FloatArray, axis_deg: FloatArray) -> None:
    """P, QRS and T are turned in the frontal plane until the area of QRS in I and aVF gives the wanted axis.

    With areas (x, y, z) of QRS turned by d, "axis = a" reads A cos d + B sin d + C = 0, which has a closed solution.
    """
    area = np.einsum("nw,nwd->nd", waves[:, _QRS, WIDTH], waves[:, _QRS, X:])
    lead_i, a_vf = DOWER[0], 2 / np.sqrt(3) * (DOWER[1] - DOWER[0] / 2)
    angle = np.deg2rad(axis_deg)
    # Zero where the frontal vector points along the axis: cos(a) aVF - sin(a) I.
    normal = np.cos(angle)[:, None] * a_vf - np.sin(angle)[:, None] * lead_i
    x, y, z = area.T
    a = normal[:, 0] * x + normal[:, 1] * y
    b = -normal[:, 0] * y + normal[:, 1] * x
    c = normal[:, 2] * z
    turn = np.arctan2(b, a) - np.arccos(np.clip(-c / np.hypot(a, b), -1, 1))
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    for part, share in ((slice(P_RIGHT, P_LEFT + 1), 0.4), (_QRS, 1.0), (_T, 0.6)):
        _turn(waves, part, (X, Y), share * turn)


def _turn(waves: FloatArray, part: slice, plane: tuple[int, int], angle: FloatArray) -> None:
    """Directions of some waves are turned by an angle in rad, from the first towards the second axis of the plane."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first, second = waves[:, part, plane[0]].copy(), waves[:, part, plane[1]].copy()
    waves[:, part, plane[0]] = cos * first - sin * second
    waves[:, part, plane[1]] = sin * first + cos * second


def _widen(waves: FloatArray, qrs_ms: FloatArray, rbbb: BoolArray) -> None:
    """QRS lasts qrs_ms from a fixed onset; of a right bundle branch block only the late wave, placed already, does."""
    factor = np.where(rbbb, 1.0, qrs_ms / NORMAL_QRS_MS)[:, None]
    waves[:, _QRS, TIME] = QRS_ONSET_S + (waves[:, _QRS, TIME] - QRS_ONSET_S) * factor
    waves[:, _QRS, WIDTH] *= factor
    waves[:, ST, TIME] += (qrs_ms - NORMAL_QRS_MS) / 1000


def _hyperkalaemia(waves: FloatArray, hyperk: BoolArray) -> None:
    """A tent: one tall, narrow, symmetric T; flat P."""
    waves[hyperk, T_RISE, X:] *= 0.25
    waves[hyperk, T_FALL, X:] *= 3.0
    waves[hyperk, T_FALL, WIDTH] = 0.026
    waves[hyperk, P_RIGHT : P_LEFT + 1, X:] *= 0.25


def _shift_st(waves: FloatArray, e: Values, flags: dict[str, BoolArray]) -> None:
    """st_mv along the direction of its territory; without a territory along that of diffuse lateral shifts.

    Anterior elevation pulls T up with it, depression flattens T.
    """
    direction = np.tile(np.array(_ST_DIRECTION["std"]), (len(waves), 1))
    for name in ("ste_ant", "ste_inf"):
        direction[flags[name]] = _ST_DIRECTION[name]
    waves[:, ST, X:] += e["st_mv"][:, None] * direction
    elevated = flags["ste_ant"] | flags["ste_inf"]
    waves[elevated, ST, WIDTH] *= 1.35
    waves[elevated, T_RISE, X:] += 0.8 * e["st_mv"][elevated, None] * direction[elevated]
    waves[flags["std"], T_RISE : T_FALL + 1, X:] *= 0.55


def _notch(waves: FloatArray, notch_mv: FloatArray) -> None:
    """A narrow dip and bump on the downslope of R, as of a scar; notch_mv is its size in the dipole."""
    direction = notch_mv[:, None] * _NOTCH_DIRECTION
    # The wider QRS, the later the notch.
    middle = (waves[:, R_WALL, TIME] + waves[:, R_SEPTAL, TIME]) / 2
    waves[:, NOTCH_DOWN, TIME], waves[:, NOTCH_UP, TIME] = middle + 0.004, middle + 0.019
    waves[:, NOTCH_DOWN, X:], waves[:, NOTCH_UP, X:] = -direction, direction


def _time_p_and_t(waves: FloatArray, e: Values) -> None:
    """P begins pr_ms before QRS, T ends qt_ms after its onset; ST keeps its place after the J point."""
    p_onset = QRS_ONSET_S - np.nan_to_num(e["pr_ms"], nan=160.0) / 1000
    shift = p_onset - (_NORMAL_BEAT[P_RIGHT, TIME] - 2.0 * _NORMAL_BEAT[P_RIGHT, WIDTH])
    waves[:, P_RIGHT : P_LEFT + 1, TIME] += shift[:, None]
    j_s = QRS_ONSET_S + e["qrs_ms"] / 1000
    normal_j_s = QRS_ONSET_S + NORMAL_QRS_MS / 1000
    t_end_s = QRS_ONSET_S + e["qt_ms"] / 1000
    stretch = np.maximum(t_end_s - j_s, 0.08) / (_T_END_S - normal_j_s)
    for wave in (T_RISE, T_FALL):
        waves[:, wave, TIME] = j_s + (waves[:, wave, TIME] - normal_j_s) * stretch
        waves[:, wave, WIDTH] *= np.clip(stretch, 0.45, 1.25)
