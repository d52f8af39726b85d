"""12-lead ECG in, three levels of time tokens out: a one-dimensional residual network for two CPU cores.

The shape follows the residual ECG networks of Ribeiro et al. 2020 and Strodthoff et al. 2021 (basic blocks, wide
kernels, stride 2 between stages) at 100 Hz and a quarter of their width, with SiLU instead of ReLU: path integrals of
its gradients (saliency) then add up with a quarter of the steps.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from lemof_core.batch import Modality
from lemof_core.encoders.contract import Level, LevelInfo

N_TOKENS = 63  # of every level: about 0.16 s each
DURATION_S = 10.0


class ResidualBlock(nn.Module):
    """(B, d_in, T) -> (B, d_out, T / stride): two convolutions beside a shortcut.

    >>> ResidualBlock(8, 16, stride=2)(torch.zeros(2, 8, 100)).shape
    torch.Size([2, 16, 50])
    """

    def __init__(self, d_in: int, d_out: int, *, stride: int, kernel: int = 7) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(d_in, d_out, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(d_out),
            nn.SiLU(),
            nn.Conv1d(d_out, d_out, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(d_out),
        )
        same = stride == 1 and d_in == d_out
        self.shortcut = (
            nn.Identity()
            if same
            else nn.Sequential(nn.Conv1d(d_in, d_out, 1, stride=stride, bias=False), nn.BatchNorm1d(d_out))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        return functional.silu(self.body(x) + self.shortcut(x))


class ResNet1d(nn.Module):
    """Levels after each of three stages; tokens are averages over 0.16 s.

    Several records of one patient give their tokens one after the other; tokens of absent records are masked.
    """

    def __init__(self, *, widths: tuple[int, int, int] = (32, 64, 96), n_blocks: int = 1) -> None:
        super().__init__()
        self.stem_layer = nn.Sequential(
            nn.Conv1d(12, widths[0], 15, stride=4, padding=7, bias=False), nn.BatchNorm1d(widths[0]), nn.SiLU()
        )
        stages, adapters, d_in = [], [], widths[0]
        for k, d_out in enumerate(widths):
            # eq. 1's own transform W^(k) before each backbone block: a 1x1 convolution, identity at the start.
            adapter = nn.Conv1d(d_in, d_in, 1)
            nn.init.dirac_(adapter.weight)
            nn.init.zeros_(cast(Tensor, adapter.bias))
            adapters.append(adapter)
            blocks = [ResidualBlock(d_in, d_out, stride=1 if k == 0 else 2)]
            blocks += [ResidualBlock(d_out, d_out, stride=1) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            d_in = d_out
        self.adapters, self.stages = nn.ModuleList(adapters), nn.ModuleList(stages)
        edges = tuple(round(i * DURATION_S / N_TOKENS, 4) for i in range(N_TOKENS + 1))
        low, mid, high = (
            LevelInfo(name, N_TOKENS, d, "seconds", edges)
            for name, d in zip(("low", "mid", "high"), widths, strict=True)
        )
        self.levels = (low, mid, high)

    def stem(self, modality: Modality) -> tuple[Tensor, Tensor]:
        """Return ((B * R, d, 250) features, (B, R) which records are there)."""
        signal = modality.tensors["signal"]
        return self.stem_layer(signal.flatten(0, 1)), modality.tensors["record_present"]

    def stage(self, k: int, state: tuple[Tensor, Tensor]) -> tuple[tuple[Tensor, Tensor], Level]:
        """Return the next state and level k: tokens (B, R * 63, d_k)."""
        hidden, present = state
        hidden = self.stages[k - 1](self.adapters[k - 1](hidden))
        tokens = functional.adaptive_avg_pool1d(hidden, N_TOKENS).transpose(1, 2)
        n_samples, n_records = present.shape
        tokens = tokens.reshape(n_samples, n_records * N_TOKENS, -1)
        mask = present.repeat_interleave(N_TOKENS, dim=1)
        return (hidden, present), Level(tokens, mask)
