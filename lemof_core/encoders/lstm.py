"""12-lead ECG in, three levels of time tokens out: patches of 0.16 s, read in both directions by three LSTMs."""

from __future__ import annotations

from torch import nn

from lemof_core.encoders.contract import identity_linear
from lemof_core.encoders.ecg_maps import EcgEncoder, RecordMaps, time_levels


class BiLstm(EcgEncoder):
    """Levels are the outputs of three bidirectional LSTMs over 63 patches: (forward, backward) states at each patch.

    A level's summary (`pool="ends"`) takes each direction where it has read the whole record: the forward state at the
    last patch, the backward state at the first. Both at the last patch, a common slip, would leave a backward state
    that has read one patch.

    # NOTE[DIFF] paper: "LSTM", without sizes. here: two convolutions make a patch of 16 samples, then three LSTMs of
    # 64 units a direction. because: 1,000 steps are slow on a CPU and long for an LSTM to remember.
    """

    def __init__(self, *, d_patch: int = 64, n_units: int = 64) -> None:
        patches = nn.Sequential(
            nn.Conv1d(12, d_patch // 2, 15, stride=4, padding=7, bias=False),
            nn.BatchNorm1d(d_patch // 2),
            nn.SiLU(),
            nn.Conv1d(d_patch // 2, d_patch, 7, stride=4, padding=3, bias=False),
            nn.BatchNorm1d(d_patch),
            nn.SiLU(),
        )
        d = 2 * n_units
        super().__init__(patches, time_levels((d, d, d), step_s=(0.16, 0.16, 0.16), pool="ends"))
        ins = (d_patch, d, d)
        self.adapters = nn.ModuleList(identity_linear(d_in) for d_in in ins)
        self.lstms = nn.ModuleList(nn.LSTM(d_in, n_units, batch_first=True, bidirectional=True) for d_in in ins)

    def block(self, k: int, state: RecordMaps) -> RecordMaps:
        """Return the maps (B * R, 2 * n_units, 63) after LSTM k."""
        steps = self.adapters[k - 1](state.hidden.transpose(1, 2))
        return RecordMaps(self.lstms[k - 1](steps)[0].transpose(1, 2), state.present)
