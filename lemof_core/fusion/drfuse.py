"""Level 3 of both modalities in, log-odds out: DrFuse (Yao et al. 2024), what modalities share and what is their own.

Each modality's vector is split into a shared and a distinct part. The shared parts are pooled into one, and attention
weighs three sources: EHR-distinct, shared, ECG-distinct. Without an ECG the shared part is the EHR's, and the ECG's
source is masked.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import logsigmoid

from lemof_core.fusion.contract import FusedHead, FusionInput, FusionNet, NetOutput, NetSizes

SOURCES = ("ehr_distinct", "shared", "ecg_distinct")
RANKED_PAIRS = ((2, 0), (1, 0), (1, 2))  # of SOURCES: (ECG, EHR), (shared, EHR), (shared, ECG)
EPSILON = 1e-6


def pool_logits(first: Tensor, second: Tensor) -> Tensor:
    """Return the logit of the mean of the two probabilities, elementwise; finite for any finite logits.

    Published as log((2 e^(a+b) + e^a + e^b) / (2 + e^a + e^b)), which overflows.

    >>> pool_logits(torch.tensor([0.0, 200.0]), torch.tensor([0.0, 200.0]))
    tensor([  0., 200.])
    """
    yes = torch.logaddexp(logsigmoid(first), logsigmoid(second))
    no = torch.logaddexp(logsigmoid(-first), logsigmoid(-second))
    return yes - no


def bernoulli_jsd(first: Tensor, second: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence in nats, elementwise, of coins with these logits: 0 to ln 2."""
    total = torch.zeros_like(first)
    for sign in (1, -1):  # heads, then tails
        one, other = logsigmoid(sign * first), logsigmoid(sign * second)
        middle = torch.logaddexp(one, other) - math.log(2)
        total = total + 0.5 * (one.exp() * (one - middle) + other.exp() * (other - middle))
    return total


def ranking_loss(attention: Tensor, losses: Tensor) -> Tensor:
    """Return how far attention (n, 3) ranks sources against their own losses (n, 3); 0 where the orders agree.

    Mean over the violating rows of each pair of sources, then over pairs. The losses are taken as given: no gradient.
    """
    losses = losses.detach()
    total = attention.new_zeros(())
    for i, j in RANKED_PAIRS:
        better = torch.sign(losses[:, j] - losses[:, i])  # 1 where source i predicted better
        violation = torch.relu(-better * (attention[:, i] - attention[:, j]))
        total = total + violation.sum() / ((violation > 0).sum() + EPSILON)
    return total / len(RANKED_PAIRS)


def mean_or_zero(values: Tensor) -> Tensor:
    """Return the mean, 0 of nothing: a batch may hold no ECG at all."""
    return values.sum() / max(values.numel(), 1)


class DrFuse(FusionNet):
    """One class, so one attention key. Auxiliary logits: of the EHR's and ECG's distinct parts, and of the shared one.

    # NOTE[DIFF] paper: two trunks a modality, shared and distinct (transformers, ResNet-50). here: two linear heads on
    # the pooled level 3. because: all rivals read the same encoders, and a trunk more would cost twice.
    # NOTE[DIFF] paper's code: one term of the divergence, summed over features, unpaired rows in it. here: both terms
    # of a Bernoulli variable, their mean over features, paired rows only. because: it is what the paper states, and a
    # sum over features drowns the other losses.
    # NOTE[DIFF] paper's code: the ranking loss divides by the number of violations, 0 / 0 without any. here: plus a
    # small constant. because: a batch without violations must cost nothing.
    # NOTE[DIFF] paper: 256 features. here: d, the width of Module 2. because: none shall win by size.
    """

    handles_missing_ecg = True

    def __init__(
        self, sizes: NetSizes, *, lambda_shared: float = 1.0, lambda_orthogonal: float = 1.0, lambda_rank: float = 1.0
    ) -> None:
        super().__init__(sizes)
        d = sizes.d
        self.lambda_shared, self.lambda_orthogonal, self.lambda_rank = lambda_shared, lambda_orthogonal, lambda_rank
        self.dropout = nn.Dropout(sizes.dropout)
        self.ehr_shared, self.ehr_distinct = nn.Linear(sizes.d_ehr, d), nn.Linear(sizes.d_ehr, d)
        self.ecg_shared, self.ecg_distinct = nn.Linear(sizes.d_ecg, d), nn.Linear(sizes.d_ecg, d)
        self.projector = nn.Sequential(  # the same for both modalities, so that they share a space
            nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d), nn.ReLU(), nn.Linear(d, d)
        )
        self.query_key_value = nn.Linear(d, 3 * d)
        self.source_heads = nn.ModuleDict({name: nn.Linear(d, 1) for name in SOURCES})
        self.head = FusedHead(d, sizes)

    def fuse(self, given: FusionInput) -> NetOutput:
        """Return the output; inner source_attention (B, 3) over SOURCES, and what the losses compare, (B, d) each."""
        there = given.ecg_present
        ecg, ehr = (self.dropout(pooled) for pooled in self.top(given))
        ehr_shared, ecg_shared = self.projector(self.ehr_shared(ehr)), self.projector(self.ecg_shared(ecg))
        shared = torch.where(there[:, None], pool_logits(ehr_shared, ecg_shared), ehr_shared)
        sources = torch.stack([self.ehr_distinct(ehr), shared, self.ecg_distinct(ecg)], dim=1)
        fused, attention = self.attend(sources, there)
        logits = {name: self.source_heads[name](sources[:, i]) for i, name in enumerate(SOURCES)}
        logits["ecg_distinct"] = torch.where(there[:, None], logits["ecg_distinct"], torch.nan)
        inner = {
            "source_attention": attention,
            "ehr_distinct": sources[:, 0],
            "ecg_distinct": sources[:, 2],
            "ehr_shared": ehr_shared,
            "ecg_shared": ecg_shared,
        }
        return NetOutput(self.head(fused, given.ecg_summary, given.raw_ehr), logits, inner)

    def attend(self, sources: Tensor, ecg_present: Tensor) -> tuple[Tensor, Tensor]:
        """Return (fused (B, d), attention (B, 3)): the mean query of the sources that are there asks all of them."""
        usable = torch.ones(sources.shape[:2], dtype=torch.bool, device=sources.device)
        usable[:, SOURCES.index("ecg_distinct")] = ecg_present
        query, key, value = self.query_key_value(sources).chunk(3, dim=-1)
        mean_query = (query * usable[..., None]).sum(1) / usable.sum(1, keepdim=True)
        score = torch.einsum("bd,bsd->bs", mean_query, key) / math.sqrt(key.shape[-1])
        attention = torch.softmax(score.masked_fill(~usable, -torch.inf), dim=1)
        return torch.einsum("bs,bsd->bd", attention, value), attention

    def loss(self, out: NetOutput, given: FusionInput, targets: Tensor) -> Tensor:
        """Return prediction, shared, orthogonality and ranking losses; the ECG's parts over rows that have one."""
        there, inner = given.ecg_present, out.inner
        bce = functional.binary_cross_entropy_with_logits
        total = bce(out.logit, targets)
        for name in SOURCES:
            rows = there if name == "ecg_distinct" else torch.ones_like(there)
            total = total + mean_or_zero(bce(out.modality_logits[name][rows], targets[rows], reduction="none"))
        divergence = bernoulli_jsd(inner["ehr_shared"][there], inner["ecg_shared"][there])
        overlap_ehr = functional.cosine_similarity(inner["ehr_shared"], inner["ehr_distinct"], dim=1).abs()
        overlap_ecg = functional.cosine_similarity(inner["ecg_shared"], inner["ecg_distinct"], dim=1).abs()
        paired = torch.cat([out.modality_logits[name][there] for name in SOURCES], dim=1)
        own_losses = bce(paired, targets[there].expand(-1, len(SOURCES)), reduction="none")
        return (
            total
            + self.lambda_shared * mean_or_zero(divergence)
            + self.lambda_orthogonal * (overlap_ehr.mean() + mean_or_zero(overlap_ecg[there]))
            + self.lambda_rank * ranking_loss(inner["source_attention"][there], own_losses)
        )
