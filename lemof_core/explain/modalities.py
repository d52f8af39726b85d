"""Samples in, `input_phi` out: what the raw ECG and the raw EHR change, Module 2 run again on background patients.

Only these values may be worded "the ECG contributed ...".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from lemof_core.batch import ScaledCohort
from lemof_core.explain.mixing import mixed, repeated
from lemof_core.fusion.fold_model import FoldModel
from lemof_core.fusion.joint import Encoded
from lemof_core.fusion.lemof import LemofModel


@dataclass(frozen=True)
class InputEffects:
    """Calibrated log-odds (N,) of the four coalitions of {ECG, EHR}; the absent come from whole background patients.

    se_*: standard errors (N,) over the background of v_ecg - v_none, v_ehr - v_none and the interaction.
    """

    v_none: np.ndarray
    v_ecg: np.ndarray
    v_ehr: np.ndarray
    v_both: np.ndarray
    se_ecg: np.ndarray
    se_ehr: np.ndarray
    se_joint: np.ndarray
    n_background: int

    @property
    def phi_ecg(self) -> np.ndarray:
        """Return the Shapley value (N,) of the ECG; with phi_ehr it sums to v_both - v_none."""
        return 0.5 * (self.v_ecg - self.v_none + self.v_both - self.v_ehr)

    @property
    def phi_ehr(self) -> np.ndarray:
        """Return the Shapley value (N,) of the EHR."""
        return 0.5 * (self.v_ehr - self.v_none + self.v_both - self.v_ecg)

    @property
    def interaction(self) -> np.ndarray:
        """Return v(12) - v(1) - v(2) + v(0): what the two change only together."""
        return self.v_both - self.v_ecg - self.v_ehr + self.v_none


def _encode(fold: FoldModel, cohort: ScaledCohort, rows: np.ndarray) -> Encoded:
    return fold.encode(cohort.ecg(rows), cohort.ehr(rows))


def _mixed_ports(fold: FoldModel, ecg_of: Encoded, ehr_of: Encoded) -> torch.Tensor:
    """Return ports (n, 7) of patients whose ECG is one person's and whose EHR another's."""
    return fold.encoded_ports(mixed(ecg_of, ehr_of))


@torch.no_grad()
def input_effects(model: LemofModel, cohort: ScaledCohort, rows: np.ndarray) -> InputEffects:
    """Return the four coalition values of rows that have an ECG."""
    background = model.input_background
    n_background = len(background)

    per_fold = [
        (fold, _encode(fold, cohort, rows), _encode(fold, background, np.arange(n_background))) for fold in model.folds
    ]
    v_both = model.decided("both", [_mixed_ports(fold, x, x) for fold, x, _ in per_fold])
    none_each = model.decided("both", [_mixed_ports(fold, b, b) for fold, _, b in per_fold])
    ecg_each, ehr_each = np.empty((2, len(rows), n_background))  # a column a background patient
    for index in range(len(rows)):
        ones = [(fold, repeated(x, index, n_background), b) for fold, x, b in per_fold]
        ecg_each[index] = model.decided("both", [_mixed_ports(fold, x, b) for fold, x, b in ones])
        ehr_each[index] = model.decided("both", [_mixed_ports(fold, b, x) for fold, x, b in ones])
    return InputEffects(
        v_none=np.full(len(rows), none_each.mean()),
        v_ecg=ecg_each.mean(1),
        v_ehr=ehr_each.mean(1),
        v_both=v_both,
        se_ecg=_standard_error(ecg_each - none_each),
        se_ehr=_standard_error(ehr_each - none_each),
        se_joint=_standard_error(none_each - ecg_each - ehr_each),
        n_background=n_background,
    )


def _standard_error(each: np.ndarray) -> np.ndarray:
    """Return the standard error (N,) of the mean over the columns; zero where there is but one."""
    n = each.shape[1]
    return each.std(1, ddof=1) / np.sqrt(n) if n > 1 else np.zeros(len(each))
