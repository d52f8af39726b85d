"""EHR in, three levels of feature tokens out: TabTransformer (Huang et al. 2020) on binned variables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.encoders.contract import Encoder, Level, LevelInfo, identity_linear
from lemof_core.encoders.ehr_summary import N_SERIES_FACTS, N_STATIC_FACTS, SERIES_FACTS, day_facts, flat_facts

N_BINS = 8
MISSING = N_BINS  # the ninth category
_LAST, _OBSERVED = SERIES_FACTS.index("last"), SERIES_FACTS.index("observed")


@dataclass(frozen=True)
class TabTransformerState:
    """tokens (B, F, d) of the categories; numbers (B, d): the continuous path, which no block touches."""

    tokens: Tensor
    numbers: Tensor


class TabTransformer(Encoder):
    """Levels after blocks 2, 4 and 6: a summary token, then one token a variable.

    A variable's category is the bin of its last value (of a static: its value), or "missing". Values arrive on a normal
    scale fitted on training rows (`Scaler`), so the eight bins' edges are the standard normal's quantiles and nothing
    is fitted here: each bin holds an eighth of a static's training values, or of a series' hourly ones, ties apart (of
    its last ones, about an eighth). Bins cover the whole line, so no value is an unseen category.

    The summary is the paper's head: all tokens side by side with the numbers, which bypass attention. Gradients reach a
    patient's values through the numbers alone, because a bin has none; path integrals miss the bins' jumps, and their
    completeness error says by how much.

    # NOTE[DIFF] paper: categorical columns become tokens, continuous ones do not. here: binned variables do, and the
    # continuous path is kept beside them. because: nearly all of an ICU record is numbers.
    # NOTE[DIFF] paper: LN(x_num) goes into the head as it is. here: after a linear map to d channels. because: a gate
    # then has d channels to multiply, the tokens' and theirs alike.
    # NOTE[DIFF] paper: MLP of 4 and 2 times its input, which flattened tokens would make 7,700 wide. here: a hidden
    # layer of 64. because: a few thousand stays could not fill more.
    # NOTE[DIFF] paper: nothing on a head's width, and public code takes 16. here: the 32 channels split by 8 heads.
    # because: that is what multi-head attention does where no width is named.
    # NOTE[DIFF] paper: pre-training on unlabelled rows. here: supervised training alone. because: LeMoF
    # gives no sign of it.
    """

    edges: Tensor  # (7,) between the bins
    first_row: Tensor  # (V + S,) of each variable in the embedding

    def __init__(
        self, *, series_names: tuple[str, ...], static_names: tuple[str, ...], d: int = 32, n_heads: int = 8,
        d_summary: int = 64, dropout: float = 0.1,
    ) -> None:  # fmt: skip
        super().__init__()
        n_features = len(series_names) + len(static_names)
        n_numbers = len(series_names) * N_SERIES_FACTS + len(static_names) * N_STATIC_FACTS
        d_column = d // 8  # of a token's channels say which variable it is, whatever its category
        edges = ndtri(np.arange(1, N_BINS) / N_BINS)
        self.register_buffer("edges", torch.tensor(edges, dtype=torch.float32), persistent=False)
        self.register_buffer("first_row", torch.arange(n_features) * (N_BINS + 1), persistent=False)
        self.category = nn.Embedding(n_features * (N_BINS + 1), d - d_column)
        self.column = nn.Parameter(torch.empty(n_features, d_column))
        nn.init.normal_(self.category.weight, std=0.02)
        nn.init.normal_(self.column, std=0.02)
        self.numbers = nn.Sequential(nn.LayerNorm(n_numbers), nn.Linear(n_numbers, d))
        self.adapters = nn.ModuleList(identity_linear(d) for _ in range(3))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(
                    nn.TransformerEncoderLayer(
                        d, n_heads, 4 * d, dropout=dropout, activation="gelu", batch_first=True, norm_first=True
                    )
                    for _ in range(2)
                )
            )
            for _ in range(3)
        )
        self.summaries = nn.ModuleList(
            nn.Sequential(nn.Linear((n_features + 1) * d, d_summary), nn.GELU(), nn.Linear(d_summary, d))
            for _ in range(3)
        )
        names = ("CLS", *series_names, *static_names)
        low, mid, high = (LevelInfo(name, len(names), d, "feature", names, "cls") for name in ("low", "mid", "high"))
        self.levels = (low, mid, high)

    def categories(self, modality: Modality) -> Tensor:
        """Return (B, V + S) the category of each variable: bin 0 to 7, or 8 where it is missing."""
        series, static = day_facts(modality)
        value = torch.cat([series[..., _LAST], static[..., 0]], dim=1)
        known = torch.cat([series[..., _OBSERVED], static[..., 1]], dim=1) > 0.5
        return torch.where(known, torch.bucketize(value.detach(), self.edges), MISSING)

    def stem(self, modality: Modality) -> TabTransformerState:
        """Return tokens of the categories, and the numbers as d channels."""
        category = self.category(self.categories(modality) + self.first_row)
        tokens = torch.cat([category, self.column.expand(len(category), -1, -1)], dim=2)
        return TabTransformerState(tokens, self.numbers(flat_facts(modality)))

    def block(self, k: int, state: TabTransformerState) -> TabTransformerState:
        """Return the state after two more transformer layers."""
        return TabTransformerState(self.blocks[k - 1](self.adapters[k - 1](state.tokens)), state.numbers)

    def read(self, k: int, state: TabTransformerState) -> Level:
        """Return level k: tokens (B, 1 + V + S, d)."""
        summary = self.summaries[k - 1](torch.cat([state.tokens.flatten(1), state.numbers], dim=1))
        tokens = torch.cat([summary[:, None], state.tokens], dim=1)
        return Level(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def scale(self, k: int, state: TabTransformerState, gate: Tensor) -> TabTransformerState:
        """Return all tokens and the numbers times the gate (B, d)."""
        return TabTransformerState(state.tokens * gate[:, None], state.numbers * gate)
