"""12-lead ECG in, three levels of time tokens out: the plainest network with three levels, a yardstick."""

from __future__ import annotations

from torch import nn

from lemof_core.encoders.contract import identity_convolution
from lemof_core.encoders.ecg_maps import EcgEncoder, RecordMaps, time_levels

N_TOKENS = (63, 63, 16)
STEP_S = (0.16, 0.16, 0.64)  # four samples of 10 ms a step, times four with each block


class BaselineCnn(EcgEncoder):
    """Three blocks of convolution, norm, ReLU and maximum over two steps; each leaves a quarter of the time steps.

    # NOTE[DIFF] paper: "Baseline", without a word on what it is. here: this network. because: the simplest with three
    # levels.
    """

    def __init__(self, *, widths: tuple[int, int, int] = (64, 128, 256), kernel: int = 7) -> None:
        super().__init__(nn.Identity(), time_levels(widths, n_tokens=N_TOKENS, step_s=STEP_S))
        ins = (12, *widths[:2])
        self.adapters = nn.ModuleList(identity_convolution(d_in) for d_in in ins)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv1d(d_in, d_out, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm1d(d_out),
                nn.ReLU(),
                nn.MaxPool1d(2, ceil_mode=True),  # so that the last, shorter stretch of time is not lost
            )
            for d_in, d_out in zip(ins, widths, strict=True)
        )

    def block(self, k: int, state: RecordMaps) -> RecordMaps:
        """Return the maps (B * R, d_k, 250, 63 or 16) after block k."""
        return RecordMaps(self.blocks[k - 1](self.adapters[k - 1](state.hidden)), state.present)
