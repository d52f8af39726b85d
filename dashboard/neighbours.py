"""Vectors of stays in, the nearest of one of them out. Pure."""

from __future__ import annotations

import numpy as np

MODALITIES = {"ecg": "ECG", "ehr": "Record"}
LEVELS = {1: "low level", 2: "mid level", 3: "high level"}
FUSED = "Both, fused"
# What patients may be compared by -> the arrays that are put side by side for it.
SPACES: dict[str, tuple[str, ...]] = {
    FUSED: ("embedding",),
    **{
        f"{name}, all levels": tuple(f"embedding_{modality}_{k}" for k in LEVELS)
        for modality, name in MODALITIES.items()
    },
    **{
        f"{name}, {level}": (f"embedding_{modality}_{k}",)
        for modality, name in MODALITIES.items()
        for k, level in LEVELS.items()
    },
}


def reads_ecg(space: str) -> bool:
    """Whether stays without an ECG have no vector in the space."""
    return any(name == "embedding" or "_ecg_" in name for name in SPACES[space])


def standardised(vectors: np.ndarray) -> np.ndarray:
    """Return (N, d) float32 with mean 0 and spread 1 in every column: no column counts by its scale alone."""
    wide = vectors.astype(np.float32)
    spread = wide.std(0)
    return np.asarray((wide - wide.mean(0)) / np.where(spread > 1e-6, spread, 1.0), dtype=np.float32)


def nearest(vectors: np.ndarray, own: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (rows, distances) of the n rows nearest to row `own` of (N, d), itself left out; distance is Euclidean
    over the root of d, so that 1.4 is what two strangers have."""
    gap = np.sqrt(((vectors - vectors[own]) ** 2).mean(1))
    gap[own] = np.inf
    n = min(n, len(vectors) - 1)
    some = np.argpartition(gap, n - 1)[:n] if n else np.empty(0, dtype=np.int64)
    ordered = some[np.argsort(gap[some], kind="stable")]
    return ordered, gap[ordered]
