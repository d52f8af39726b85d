"""12-lead ECG in, three levels of time tokens out: stacks of gated dilated convolutions (van den Oord et al. 2016)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from lemof_core.encoders.contract import identity_convolution
from lemof_core.encoders.ecg_maps import EcgEncoder, RecordMaps, time_levels


class GatedLayer(nn.Module):
    """(B, d, T) -> residual (B, d, T) and skip (B, d_skip, T): z = tanh(W_f * x) sigmoid(W_g * x), each a 1x1 of z.

    >>> residual, skip = GatedLayer(8, 16, dilation=4)(torch.zeros(2, 8, 50))
    >>> residual.shape, skip.shape
    (torch.Size([2, 8, 50]), torch.Size([2, 16, 50]))
    """

    def __init__(self, d: int, d_skip: int, *, dilation: int, hands_on: bool = True) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(d, 2 * d, 3, dilation=dilation, padding=dilation)
        # One convolution holds both 1x1, the residual's channels first. The network's last layer hands nothing on.
        self.outputs = nn.Conv1d(d, d * hands_on + d_skip, 1)
        self.hands_on, self.d_skip = hands_on, d_skip

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (what the next layer reads, what the sum of skips takes)."""
        of_filter, of_gate = self.dilated(x).chunk(2, dim=1)
        z = torch.tanh(of_filter) * torch.sigmoid(of_gate)
        outputs = self.outputs(z)
        return x + outputs[:, : -self.d_skip] if self.hands_on else x, outputs[:, -self.d_skip :]


class WaveNet(EcgEncoder):
    """Three stacks of six layers (dilations 1 to 32); level k is the sum of the skips of stacks 1 to k, 0.16 s a token.

    So level 3 is WaveNet's own output, and level k what it would be with k stacks. The maps hold the residual channels
    first, then the sum of skips; after the last stack that sum alone.

    # NOTE[DIFF] paper: "WaveNet", made to generate sound: causal, at the full rate. here: both sides of each step are
    # read, a stem with stride 4 and a norm before the stacks, and half the steps after each stack. because: a record is
    # classified when it is over; at the full rate a batch takes seconds on a CPU, and raw millivolts would leave the
    # tanh in its linear part.
    # NOTE[DIFF] paper (van den Oord): ReLU, 1x1, ReLU, 1x1 on the sum of skips. here: the level's head is the last 1x1.
    # because: every level has a head of the same kind.
    """

    def __init__(self, *, d: int = 32, d_skip: int = 64, n_layers: int = 6) -> None:
        stem_layer = nn.Sequential(nn.Conv1d(12, d, 15, stride=4, padding=7, bias=False), nn.BatchNorm1d(d))
        super().__init__(stem_layer, time_levels((d_skip, d_skip, d_skip)))
        self.d, self.d_skip = d, d_skip
        self.adapters = nn.ModuleList(identity_convolution(d) for _ in range(3))
        self.stacks = nn.ModuleList(
            nn.ModuleList(
                GatedLayer(d, d_skip, dilation=2**i, hands_on=not (k == 3 and i == n_layers - 1))
                for i in range(n_layers)
            )
            for k in (1, 2, 3)
        )
        self.outputs = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Conv1d(d_skip, d_skip, 1), nn.ReLU()) for _ in range(3)
        )

    @property
    def gate_widths(self) -> tuple[int, int, int]:
        """Return the channels of the maps: residual and skips, after the last stack the skips."""
        return self.d + self.d_skip, self.d + self.d_skip, self.d_skip

    def block(self, k: int, state: RecordMaps) -> RecordMaps:
        """Return the maps (B * R, d + d_skip or d_skip, 250, 125 or 63) after stack k."""
        hidden = state.hidden if k == 1 else functional.avg_pool1d(state.hidden, 2, ceil_mode=True)
        x, skips = self.adapters[k - 1](hidden[:, : self.d]), [hidden[:, self.d :]] if k > 1 else []
        for layer in cast(nn.ModuleList, self.stacks[k - 1]):
            x, skip = layer(x)
            skips.append(skip)
        total = sum(skips[1:], start=skips[0])
        return RecordMaps(total if k == 3 else torch.cat([x, total], dim=1), state.present)

    def channels(self, k: int, hidden: Tensor) -> Tensor:
        """Return the sum of skips after its ReLU, 1x1, ReLU."""
        return self.outputs[k - 1](hidden[:, -self.d_skip :])
