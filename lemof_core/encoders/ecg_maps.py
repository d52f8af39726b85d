"""12-lead records in, time tokens out: what every ECG encoder shares. The maps between are each method's own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from lemof_core.batch import Modality
from lemof_core.encoders.contract import Encoder, Level, LevelInfo

N_TOKENS = 63  # of a level, unless its maps are shorter: about 0.16 s each
DURATION_S = 10.0


@dataclass(frozen=True)
class RecordMaps:
    """Feature maps (B * R, C, T) of R records a sample, and which records are there (B, R) bool."""

    hidden: Tensor
    present: Tensor


def time_levels(
    widths: tuple[int, int, int],
    *,
    n_tokens: tuple[int, int, int] = (N_TOKENS, N_TOKENS, N_TOKENS),
    step_s: tuple[float, float, float] | None = None,
    pool: str = "mean",
) -> tuple[LevelInfo, LevelInfo, LevelInfo]:
    """Return three levels of time tokens; a token lasts step_s seconds (default: an even share of the record)."""
    steps = step_s or tuple(DURATION_S / n for n in n_tokens)
    low, mid, high = (
        LevelInfo(name, n, d, "seconds", tuple(min(round(i * step, 4), DURATION_S) for i in range(n + 1)), pool)
        for name, n, step, d in zip(("low", "mid", "high"), n_tokens, steps, widths, strict=True)
    )
    return low, mid, high


class EcgEncoder(Encoder):
    """A stem and three blocks over feature maps; a level's tokens are averages of its maps over equal times.

    Several records of one patient give their tokens one after the other; tokens of absent records are masked.
    """

    def __init__(self, stem_layer: nn.Module, levels: tuple[LevelInfo, LevelInfo, LevelInfo]) -> None:
        super().__init__()
        self.stem_layer, self.levels = stem_layer, levels

    def stem(self, modality: Modality) -> RecordMaps:
        """Return the stem's feature maps."""
        signal = modality.tensors["signal"]
        return RecordMaps(self.stem_layer(signal.flatten(0, 1)), modality.tensors["record_present"])

    def channels(self, k: int, hidden: Tensor) -> Tensor:
        """Return the channels (B * R, d_k, T) of the maps after block k that level k shows: all, unless said."""
        return hidden

    def read(self, k: int, state: RecordMaps) -> Level:
        """Return level k: tokens (B, R * n_k, d_k)."""
        n_tokens, present = self.levels[k - 1].n_tokens, state.present
        shown = functional.adaptive_avg_pool1d(self.channels(k, state.hidden), n_tokens).transpose(1, 2)
        tokens = shown.reshape(present.shape[0], present.shape[1] * n_tokens, -1)
        return Level(tokens, present.repeat_interleave(n_tokens, dim=1))

    def scale(self, k: int, state: RecordMaps, gate: Tensor) -> RecordMaps:
        """Return the maps with their channels times the gate (B, C), the same for all records of a sample."""
        of_records = gate.repeat_interleave(state.present.shape[1], dim=0)
        return RecordMaps(state.hidden * of_records[..., None], state.present)
