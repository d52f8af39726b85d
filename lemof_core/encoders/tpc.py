"""EHR in, three levels of hour tokens out: Temporal Pointwise Convolution (Rocheteau, Lio and Hyland 2021).

A feature is a series, or a number that a pointwise layer added; a slot is one of the 1 + Y values it has in an hour:
its own, carried past the layer, and Y temporal ones. F series, Z features more with each layer, Y kernels a feature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from lemof_core.batch import Modality
from lemof_core.ehr_series import N_HOURS
from lemof_core.encoders.contract import Encoder, Level, LevelInfo, identity_convolution
from lemof_core.encoders.ehr_summary import N_STATIC_FACTS, static_facts


def decay_of(mask: Tensor, since: Tensor) -> Tensor:
    """Return (B, V, H): 1 in an hour with a value, 0.75 / j after j hours without, 0 before the first.

    mask, since (B, V, H) as in a batch: observed in the hour, and time since the last as a share of the window.
    """
    hours = since * since.shape[-1]
    seen = 1 - torch.cumprod(1 - mask, dim=-1)
    return seen * 0.75 / hours.clamp_min(0.75)


@dataclass(frozen=True)
class TpcState:
    """What a layer hands on.

    hidden (B, features, slots, H); carried (B, features, H) each feature's own value, without the newest Z features;
    temporal (B, features * Y, H) and pointwise (B, Z, H): the last layer's outputs, None before the first;
    original (B, 2 F + 1, H) values, decay and time; static (B, 2 S).
    """

    hidden: Tensor
    carried: Tensor
    temporal: Tensor | None
    pointwise: Tensor | None
    original: Tensor
    static: Tensor


class TpcLayer(nn.Module):
    """One layer: a temporal convolution of each feature by itself, beside a linear map of everything in one hour.

    `adapter` is eq. 1's own transform, feature by feature as well: one across features would undo their separation.
    """

    def __init__(
        self, *, n_features: int, n_slots: int, d_joint: int, n_kernels: int, n_points: int, kernel: int, dilation: int,
        temporal_dropout: float, pointwise_dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.adapter = identity_convolution(n_features * n_slots, groups=n_features)
        self.before = (kernel - 1) * dilation  # zeros before the first hour, none after the last: causal
        self.convolution = nn.Conv1d(
            n_features * n_slots, n_features * n_kernels, kernel, dilation=dilation, groups=n_features
        )
        self.temporal_norm = nn.BatchNorm1d(n_features * n_kernels)
        self.temporal_dropout = nn.Dropout(temporal_dropout)
        self.linear = nn.Conv1d(d_joint, n_points, 1)
        self.pointwise_norm = nn.BatchNorm1d(n_points)
        self.pointwise_dropout = nn.Dropout(pointwise_dropout)

    def forward(self, state: TpcState) -> TpcState:
        """Return the next state."""
        x = functional.pad(self.adapter(state.hidden.flatten(1, 2)), (self.before, 0))
        temporal = self.temporal_dropout(self.temporal_norm(self.convolution(x)))
        static = state.static[..., None].expand(-1, -1, state.original.shape[-1])
        last = [part for part in (state.temporal, state.pointwise) if part is not None]
        joint = torch.cat([*last, state.original, static], dim=1)
        pointwise = self.pointwise_dropout(self.pointwise_norm(self.linear(joint)))
        carried = state.carried if state.pointwise is None else torch.cat([state.carried, state.pointwise], dim=1)
        features = torch.cat([carried[:, :, None], temporal.unflatten(1, (carried.shape[1], -1))], dim=2)
        added = pointwise[:, :, None].expand(-1, -1, features.shape[2], -1)
        hidden = torch.relu(torch.cat([features, added], dim=1))
        return TpcState(hidden, carried, temporal, pointwise, state.original, state.static)


class Tpc(Encoder):
    """Levels are the outputs of three layers, one token an hour; token t has read hours up to t alone, and the statics.

    # NOTE[DIFF] paper: 8 layers, 11 kernels, 5 points (MIMIC-IV). here: 3 layers, 8 kernels, 8 points. because: three
    # levels, and dilations 1, 3, 6 already reach back 31 hours of a window of 24.
    # NOTE[DIFF] paper's code: batch norm takes the batch's statistics when predicting too. here: running statistics.
    # because: a patient's prediction must not depend on who else is in the batch.
    # NOTE[DIFF] paper: hour of day and hour of the stay in every hour. here: the hour of the window alone. because: the
    # batch holds no clock.
    # NOTE[DIFF] paper: values between their 5 % and 95 % quantiles go to [-1, 1], cut at 4. here: the scaling that each
    # encoder gets. because: one scaler, so that what differs between encoders is the encoder.
    # NOTE[DIFF] paper: learns the remaining stay in hours, by its squared logarithmic error. here: the run's label.
    # because: it is asked what all others are asked.
    # NOTE[DIFF] paper: a head reads all channels of an hour. here: tokens are a projection of them and of the statics,
    # with LayerNorm; the head reads the last hour's, as the paper's does for a prediction at t0. because: heads and
    # attention read tokens of one width.
    """

    def __init__(
        self, *, series_names: tuple[str, ...], static_names: tuple[str, ...], d: int = 64, n_kernels: int = 8,
        n_points: int = 8, kernel: int = 4, temporal_dropout: float = 0.05, pointwise_dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        n_series, n_static = len(series_names), len(static_names) * N_STATIC_FACTS
        self.n_static, self.n_kernels, self.n_slots = n_static, n_kernels, 1 + n_kernels
        self.n_features = tuple(n_series + k * n_points for k in range(4))  # before layer 1, after layers 1, 2, 3
        self.layers = nn.ModuleList(
            TpcLayer(
                n_features=self.n_features[k],
                n_slots=self.n_slots if k else 2,
                d_joint=2 * n_series + 1 + n_static + (self.n_features[k - 1] * n_kernels + n_points if k else 0),
                n_kernels=n_kernels,
                n_points=n_points,
                kernel=kernel,
                dilation=k * (kernel - 1) if k else 1,
                temporal_dropout=temporal_dropout,
                pointwise_dropout=pointwise_dropout,
            )
            for k in range(3)
        )
        self.projections = nn.ModuleList(nn.Linear(n * self.n_slots + n_static, d) for n in self.n_features[1:])
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        hours = tuple(f"{hour} h" for hour in range(-N_HOURS, 0))
        low, mid, high = (LevelInfo(name, N_HOURS, d, "hours", hours, "last") for name in ("low", "mid", "high"))
        self.levels = (low, mid, high)

    @property
    def gate_widths(self) -> tuple[int, int, int]:
        """Return the features after each layer, and the statics: a gate each."""
        low, mid, high = (n + self.n_static for n in self.n_features[1:])
        return low, mid, high

    def stem(self, modality: Modality) -> TpcState:
        """Return the series as features with two slots, value and decay."""
        value, mask, since = (modality.tensors[name] for name in ("value", "mask", "since"))
        decay = decay_of(mask, since)
        time = torch.arange(value.shape[-1], dtype=value.dtype, device=value.device) / value.shape[-1]
        original = torch.cat([value, decay, time.expand(len(value), 1, -1)], dim=1)
        static = static_facts(modality.tensors["static"], modality.tensors["static_mask"]).flatten(1)
        return TpcState(torch.stack([value, decay], dim=2), value, None, None, original, static)

    def block(self, k: int, state: TpcState) -> TpcState:
        """Return the state after layer k."""
        return self.layers[k - 1](state)

    def read(self, k: int, state: TpcState) -> Level:
        """Return level k: tokens (B, H, d)."""
        hidden = state.hidden.flatten(1, 2).transpose(1, 2)
        static = state.static[:, None].expand(-1, hidden.shape[1], -1)
        tokens = self.norms[k - 1](self.projections[k - 1](torch.cat([hidden, static], dim=2)))
        return Level(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def scale(self, k: int, state: TpcState, gate: Tensor) -> TpcState:
        """Return the state with all that is handed on of each feature, and each static, times its gate.

        What the next layers read again of the input itself is left as it is.
        """
        of_features, of_static = gate[:, : self.n_features[k], None], gate[:, self.n_features[k] :]
        if state.temporal is None or state.pointwise is None:
            raise ValueError("a gate follows a layer, however: the state is the stem's")
        n_old = state.carried.shape[1]
        return replace(
            state,
            hidden=state.hidden * of_features[..., None],
            carried=state.carried * of_features[:, :n_old],
            temporal=state.temporal * of_features[:, :n_old].repeat_interleave(self.n_kernels, dim=1),
            pointwise=state.pointwise * of_features[:, n_old:],
            static=state.static * of_static,
        )
