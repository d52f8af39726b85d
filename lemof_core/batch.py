"""What crosses into the models: arrays of a cohort, and batches of tensors cut from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

MODALITIES = ("ecg", "ehr")


@dataclass(frozen=True)
class Modality:
    """One modality of a batch: its tensors, and which rows have it.

    ecg: signal (B, R, 12, 1000) float32 mV at 100 Hz, record_present (B, R) bool; measured (B, A) float32, quantities
    that were measured from it, standardised, NaN where not measurable: trees read them, no network does.
    ehr: value, mask, since (B, V, H) scaled value carried forward, observed in the hour, time since last in windows;
    static, static_mask (B, S).
    """

    tensors: dict[str, Tensor]
    present: Tensor  # (B,) bool


@dataclass(frozen=True)
class Batch:
    """B samples: modalities by name, targets (B, C) or None, sample ids."""

    modalities: dict[str, Modality]
    targets: Tensor | None
    sample_ids: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sample_ids)


@dataclass(frozen=True)
class CohortArrays:
    """N samples as numpy arrays, unscaled; rows are aligned, identity is `sample_ids`.

    ecg_uv (N, 12, 1000) int16 microvolts at 100 Hz, zeros where absent; ecg_present (N,) bool;
    series (N, V, H) float32 hourly means in the variables' units, NaN where nothing was charted;
    static (N, S) float32, NaN where unknown; labels (N,) float32; subject_ids (N,);
    aux (N, A) float32 quantities measured from the ECG, NaN where not measurable.
    """

    sample_ids: tuple[str, ...]
    subject_ids: np.ndarray
    ecg_uv: np.ndarray
    ecg_present: np.ndarray
    series: np.ndarray
    static: np.ndarray
    labels: np.ndarray
    aux: np.ndarray
    series_names: tuple[str, ...]
    static_names: tuple[str, ...]
    aux_names: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.sample_ids)

    def take(self, rows: np.ndarray) -> CohortArrays:
        """Return the given rows, in that order."""
        return CohortArrays(
            sample_ids=tuple(self.sample_ids[int(row)] for row in rows),
            subject_ids=self.subject_ids[rows],
            ecg_uv=self.ecg_uv[rows],
            ecg_present=self.ecg_present[rows],
            series=self.series[rows],
            static=self.static[rows],
            labels=self.labels[rows],
            aux=self.aux[rows],
            series_names=self.series_names,
            static_names=self.static_names,
            aux_names=self.aux_names,
        )


@dataclass(frozen=True)
class ScaledCohort:
    """A cohort after the fitted preprocessing: what models read. Same rows and names as its CohortArrays."""

    arrays: CohortArrays
    value: np.ndarray  # (N, V, H) float32
    mask: np.ndarray  # (N, V, H) float32
    since: np.ndarray  # (N, V, H) float32
    static: np.ndarray  # (N, S) float32
    static_mask: np.ndarray  # (N, S) float32
    aux: np.ndarray  # (N, A) float32, standardised, NaN where not measurable

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.arrays)

    def ecg(self, rows: np.ndarray) -> Modality:
        """Return the rows' ECGs in mV; the content of an absent one is blanked here and can matter nowhere below."""
        present = torch.from_numpy(self.arrays.ecg_present[rows])
        signal = torch.from_numpy(self.arrays.ecg_uv[rows].astype(np.float32) / 1000.0)
        signal = signal * present[:, None, None]
        tensors = {"signal": signal[:, None], "record_present": present[:, None], "measured": self.measured(rows)}
        return Modality(tensors, present)

    def measured(self, rows: np.ndarray) -> Tensor:
        """Return what was measured from the rows' ECGs (B, A), standardised, NaN where not measurable."""
        return torch.from_numpy(self.aux[rows])

    def ehr(self, rows: np.ndarray) -> Modality:
        """Return the rows' EHR; it is always there, each of its values may be unknown."""
        names = ("value", "mask", "since", "static", "static_mask")
        tensors = {name: torch.from_numpy(getattr(self, name)[rows]) for name in names}
        return Modality(tensors, torch.ones(len(rows), dtype=torch.bool))

    def targets(self, rows: np.ndarray) -> Tensor:
        """Return the labels (B, 1)."""
        return torch.from_numpy(self.arrays.labels[rows])[:, None]

    def batch(self, rows: np.ndarray) -> Batch:
        """Return the rows as tensors, in that order."""
        ids = tuple(self.arrays.sample_ids[int(row)] for row in rows)
        return Batch({"ecg": self.ecg(rows), "ehr": self.ehr(rows)}, self.targets(rows), ids)
