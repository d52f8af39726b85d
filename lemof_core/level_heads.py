"""An encoder with a prediction head on each level (LeMoF eq. 1 and 2), and auxiliary heads for measured quantities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lemof_core.batch import Modality
from lemof_core.encoders import Encoder, Level, pool_level, run_levels, run_stages
from lemof_core.encoders.contract import peak_level


class LevelHead(nn.Module):
    """f_m^(k): (B, d) pooled tokens -> (B, 1) log-odds.

    # NOTE[DIFF] paper: the form of f_k is not given. here: LayerNorm and one linear layer on the pooled tokens.
    # because: the fewest parameters that make levels of different width comparable.

    >>> LevelHead(8)(torch.zeros(2, 8)).shape
    torch.Size([2, 1])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(d)
        self.linear = nn.Linear(d, 1)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return log-odds."""
        return self.linear(self.norm(pooled))


class LevelPredictor(nn.Module):
    """One modality: encoder, three level heads P_m, and (when n_aux > 0) three regressions of measured quantities.

    # NOTE[DIFF] paper: encoders learn from the label alone. here (preset `robust`): each level also regresses
    # quantities measured from the ECG (rate, intervals, axes, ST). because: encoders trained on the marginal label
    # drop what matters only jointly with the other modality, and cross-attention then has nothing to find.
    """

    def __init__(
        self, encoder: Encoder, *, n_aux: int = 0, level_weights: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ) -> None:
        super().__init__()
        self.encoder, self.level_weights = encoder, level_weights
        self.heads = nn.ModuleList(LevelHead(info.d) for info in encoder.levels)
        self.aux_heads = nn.ModuleList(nn.Linear(2 * info.d, n_aux) for info in encoder.levels if n_aux)

    def levels(self, modality: Modality) -> list[Level]:
        """Return the three levels of tokens."""
        return run_levels(self.encoder, modality)

    def level_logits(self, levels: list[Level]) -> Tensor:
        """Return P_m as log-odds (B, 3)."""
        pairs = zip(self.heads, levels, self.encoder.levels, strict=True)
        return torch.cat([head(pool_level(level, info)) for head, level, info in pairs], dim=1)

    def aux_values(self, levels: list[Level]) -> Tensor:
        """Return (B, 3, A) standardised measured quantities as each level sees them."""
        pairs = zip(self.aux_heads, levels, self.encoder.levels, strict=True)
        return torch.stack(
            [head(torch.cat([pool_level(level, info), peak_level(level)], dim=1)) for head, level, info in pairs], dim=1
        )

    @property
    def d_summary(self) -> int:
        """Return the width of `summary`."""
        if len(self.aux_heads):
            return int(self.aux_heads[0].out_features)  # type: ignore[arg-type]
        return 2 * int(self.encoder.levels[2].d)

    def summary(self, levels: list[Level]) -> Tensor:
        """Return (B, d_summary): the measured quantities as the levels read them, or level 3 pooled without such heads.

        The read-out is small and clean, so a head that skips the attention can find what matters only jointly.
        """
        if len(self.aux_heads):
            return self.aux_values(levels).mean(1)
        return torch.cat([pool_level(levels[2], self.encoder.levels[2]), peak_level(levels[2])], dim=1)

    def loss(
        self,
        modality: Modality,
        targets: Tensor,
        aux: Tensor,
        *,
        label_weight: float,
        aux_weight: float,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Return the mean of the three BCEs (B, 1), plus the mean squared error of the known quantities (B, A).

        class_weights (2,): what a sample of label 0 and of label 1 counts; None: one each.
        While it trains, the encoder's own penalty is added too; what is compared between epochs is without it.
        """
        levels, state = run_stages(self.encoder, modality)
        total = self.encoder.penalty(state) if self.training else torch.zeros(())
        if label_weight:
            total = total + label_weight * self._label_loss(self.level_logits(levels), targets, class_weights)
        if aux_weight and len(self.aux_heads):
            known = torch.isfinite(aux)[:, None]
            error = (self.aux_values(levels) - torch.nan_to_num(aux)[:, None]) ** 2
            total = total + aux_weight * (error * known).sum() / (3 * known.sum()).clamp_min(1)
        return total

    def _label_loss(self, logits: Tensor, targets: Tensor, class_weights: Tensor | None) -> Tensor:
        weight = None
        if self.level_weights != (1.0, 1.0, 1.0):
            weight = 3 * torch.tensor(self.level_weights) / sum(self.level_weights)
        if class_weights is not None:
            of_class = torch.where(targets > 0.5, class_weights[1], class_weights[0])
            weight = of_class if weight is None else of_class * weight
        return functional.binary_cross_entropy_with_logits(logits, targets.expand(-1, 3), weight=weight)
