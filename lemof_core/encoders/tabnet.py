"""EHR in, three levels of feature tokens out: TabNet (Arik and Pfister 2021), whose steps each choose a few variables.

The steps are pytorch-tabnet's own modules (MIT; last release 2023, so pinned): its initialisation, ghost batch norm and
sparsemax are what published numbers were made with. Run here step by step, because a level follows each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from pytorch_tabnet.tab_network import TabNetEncoder
from torch import Tensor, nn

from lemof_core.batch import Modality
from lemof_core.encoders.contract import Encoder, Level, LevelInfo, identity_linear
from lemof_core.encoders.ehr_summary import N_SERIES_FACTS, N_STATIC_FACTS, day_facts, flat_facts
from lemof_core.encoders.ft_transformer import FeatureTokenizer


@dataclass(frozen=True)
class TabNetState:
    """What a step hands on.

    facts (B, P) normed; embedded (B, F, d) the facts of each variable as a token; mask (B, F) what the last step chose
    (rows sum to 1); prior (B, F) how much a variable may still be chosen; attending (B, n_a) what the next step chooses
    by; tokens (B, 1 + F, d) the sum of step outputs, then the variables by how much they were chosen; entropy: a
    scalar, mean over the batch, summed over steps.
    """

    facts: Tensor
    embedded: Tensor
    mask: Tensor
    prior: Tensor
    attending: Tensor
    tokens: Tensor
    entropy: Tensor


class TabNet(Encoder):
    """Level k after step k: the first token is the sum of the outputs of steps 1 to k, the others name the variables.

    Steps stand beside each other more than on each other, so levels are sums: level 3 is TabNet's own representation.
    A variable no step chose is a token of zeros and still counts: leaving it out would make what reads the tokens jump
    where its share reaches zero. Path integrals of its gradients stay rough all the same: the masks bend wherever a
    variable enters or leaves.

    # NOTE[DIFF] paper: a mask over single columns. here: over variables, all facts of a variable together (the
    # library's grouped attention, each fact at full size). because: tokens name variables, and facts of one variable
    # say much the same.
    # NOTE[DIFF] paper: a step is one vector. here: beside it a token a variable, its embedding times the masks so far.
    # because: cross-attention to a single token is idle.
    """

    groups: Tensor  # (F, P): which facts are which variable's

    def __init__(
        self, *, series_names: tuple[str, ...], static_names: tuple[str, ...], d: int = 32, n_a: int = 32,
        gamma: float = 1.3, sparsity: float = 1e-3, virtual_batch_size: int = 64,
    ) -> None:  # fmt: skip
        super().__init__()
        self.d, self.n_a, self.sparsity = d, n_a, sparsity
        n_facts = [N_SERIES_FACTS] * len(series_names) + [N_STATIC_FACTS] * len(static_names)
        groups = torch.repeat_interleave(torch.eye(len(n_facts)), torch.tensor(n_facts), dim=1)
        self.tabnet = TabNetEncoder(
            sum(n_facts), d, n_d=d, n_a=n_a, n_steps=3, gamma=gamma, virtual_batch_size=virtual_batch_size,
            group_attention_matrix=groups,
        )  # fmt: skip
        _name_shared_layers_once(self.tabnet)
        self.register_buffer("groups", groups, persistent=False)  # the library's own does not move devices
        self.adapters = nn.ModuleList(identity_linear(n_a) for _ in range(3))
        self.series_tokenizer = FeatureTokenizer(n_features=len(series_names), n_facts=N_SERIES_FACTS, d=d)
        self.static_tokenizer = FeatureTokenizer(n_features=len(static_names), n_facts=N_STATIC_FACTS, d=d)
        names = ("CLS", *series_names, *static_names)
        low, mid, high = (LevelInfo(name, len(names), d, "feature", names, "cls") for name in ("low", "mid", "high"))
        self.levels = (low, mid, high)

    @property
    def gate_widths(self) -> tuple[int, int, int]:
        """Return the channels of the tokens and, where a step follows, of what it chooses by."""
        return self.d + self.n_a, self.d + self.n_a, self.d

    def stem(self, modality: Modality) -> TabNetState:
        """Return the state before step 1."""
        facts = self.tabnet.initial_bn(flat_facts(modality))
        series, static = day_facts(modality)
        embedded = torch.cat([self.series_tokenizer(series), self.static_tokenizer(static)], dim=1)
        prior = torch.ones(embedded.shape[:2], dtype=facts.dtype, device=facts.device)
        return TabNetState(
            facts=facts,
            embedded=embedded,
            mask=torch.zeros_like(prior),
            prior=prior,
            attending=self.tabnet.initial_splitter(facts)[:, self.d :],
            tokens=torch.zeros_like(embedded[:, :1]).expand(-1, 1 + embedded.shape[1], -1),
            entropy=facts.new_zeros(()),
        )

    def block(self, k: int, state: TabNetState) -> TabNetState:
        """Return the state after step k."""
        mask = self.tabnet.att_transformers[k - 1](state.prior, self.adapters[k - 1](state.attending))
        out = self.tabnet.feat_transformers[k - 1]((mask @ self.groups) * state.facts)
        output, attending = torch.relu(out[:, : self.d]), out[:, self.d :]
        return replace(
            state,
            mask=mask,
            prior=(self.tabnet.gamma - mask) * state.prior,
            attending=attending,
            tokens=state.tokens + torch.cat([output[:, None], mask[..., None] * state.embedded], dim=1),
            entropy=state.entropy - (mask * torch.log(mask + self.tabnet.epsilon)).sum(1).mean(),
        )

    def read(self, k: int, state: TabNetState) -> Level:
        """Return level k: tokens (B, 1 + F, d)."""
        return Level(state.tokens, torch.ones(state.tokens.shape[:2], dtype=torch.bool, device=state.tokens.device))

    def scale(self, k: int, state: TabNetState, gate: Tensor) -> TabNetState:
        """Return the state with tokens and what the next step chooses by times the gate (B, d + n_a; B, d at last)."""
        state = replace(state, tokens=state.tokens * gate[:, None, : self.d])
        return state if k == 3 else replace(state, attending=state.attending * gate[:, self.d :])

    def penalty(self, state: TabNetState) -> Tensor:
        """Return the sparsity loss: the masks' mean entropy over steps, times `sparsity`."""
        return self.sparsity * state.entropy / 3


def _name_shared_layers_once(tabnet: TabNetEncoder) -> None:
    """Leave the layers that all steps share to the splitter by name: a weights file holds each tensor once."""
    owner = tabnet.initial_splitter.shared
    del owner.shared_layers
    for transformer in tabnet.feat_transformers:
        del transformer.shared.shared_layers
        for layer, owned in zip(transformer.shared.glu_layers, owner.glu_layers, strict=True):
            del layer.fc
            object.__setattr__(layer, "fc", owned.fc)
