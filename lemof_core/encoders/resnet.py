"""12-lead ECG in, three levels of time tokens out: a one-dimensional residual network for two CPU cores.

The shape follows the residual ECG networks of Ribeiro et al. 2020 and Strodthoff et al. 2021 (basic blocks, wide
kernels, stride 2 between stages).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from lemof_core.encoders.contract import identity_convolution
from lemof_core.encoders.ecg_maps import EcgEncoder, RecordMaps, time_levels


class ResidualBlock(nn.Module):
    """(B, d_in, T) -> (B, d_out, T / stride): two convolutions beside a shortcut.

    # NOTE[DIFF] paper (Ribeiro; Strodthoff): ReLU, 400 or 500 Hz, wide maps. here: SiLU, 100 Hz, a quarter of the
    # width. because: path integrals of a smooth network's gradients (saliency) add up with a quarter of the steps, and
    # two CPU cores train it.

    >>> import torch
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


class ResNet1d(EcgEncoder):
    """Levels after each of three stages; tokens are averages over 0.16 s."""

    def __init__(self, *, widths: tuple[int, int, int] = (32, 64, 96), n_blocks: int = 1) -> None:
        stem_layer = nn.Sequential(
            nn.Conv1d(12, widths[0], 15, stride=4, padding=7, bias=False), nn.BatchNorm1d(widths[0]), nn.SiLU()
        )
        super().__init__(stem_layer, time_levels(widths))
        stages, adapters, d_in = [], [], widths[0]
        for k, d_out in enumerate(widths):
            adapters.append(identity_convolution(d_in))
            blocks = [ResidualBlock(d_in, d_out, stride=1 if k == 0 else 2)]
            blocks += [ResidualBlock(d_out, d_out, stride=1) for _ in range(n_blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            d_in = d_out
        self.adapters, self.stages = nn.ModuleList(adapters), nn.ModuleList(stages)

    def block(self, k: int, state: RecordMaps) -> RecordMaps:
        """Return the maps (B * R, d_k, 250, 125 or 63) after stage k."""
        return RecordMaps(self.stages[k - 1](self.adapters[k - 1](state.hidden)), state.present)
