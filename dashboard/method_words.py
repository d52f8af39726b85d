"""Names from the benchmark's files in, the words that /methods uses for them out."""

from __future__ import annotations

import math

from dashboard.strata import COLUMNS

PRESETS = ("robust", "paper")
RANKED = ("lemof", "daft", "medfuse", "drfuse", "mmtm", "hyperfusion")  # the six of the paper's Table 1
SOURCES = ("lemof", "lemof_m1", "lemof_m2", "ehr_only", "ecg_only")  # the five of its Tables 2 and 3
# Not what fusing is worth: one modality, or none.
NOT_FUSED = ("ecg_only", "ehr_only", "boosted", "majority")
# metric measured -> the paper's, which does not say at which threshold it counts
AS_PRINTED = {
    "auroc": "auroc",
    "acc_50": "acc",
    "acc_tuned": "acc",
    "f1_macro_50": "f1_macro",
    "f1_macro_tuned": "f1_macro",
}
_FUSIONS = {
    "lemof": "LeMoF",
    "lemof_m1": "LeMoF, Module 1 alone",
    "lemof_m2": "LeMoF, Module 2 alone",
    "daft": "DAFT",
    "daft_reverse": "DAFT, reversed",
    "medfuse": "MedFuse",
    "drfuse": "DrFuse",
    "mmtm": "MMTM",
    "hyperfusion": "HyperFusion",
    "early": "Early fusion",
    "late": "Late mean",
    "late_logistic": "Late logistic",
    "level_mean": "Mean of all levels",
    "best_levels": "Mean of the levels k*",
    "ecg_only": "ECG alone",
    "ehr_only": "EHR alone",
    "majority": "Always the commoner",
    "boosted": "Trees on the record",
    "boosted_ecg": "Trees on encoder's ECG",
    "boosted_measured": "Trees on measured ECG",
    "mlp": "MLP",
}
_ENCODERS = {
    "baseline": "Baseline",
    "lstm": "LSTM",
    "resnet": "ResNet",
    "wavenet": "WaveNet",
    "ft_transformer": "FT-Transformer",
    "tpc": "TPC",
    "tabnet": "TabNet",
    "tab_transformer": "TabTransformer",
}
_ARMS = {"frozen": "encoders frozen", "finetuned": "encoders fine-tuned"}


def method_label(fusion: str, variant: str = "") -> str:
    """DAFT, or LeMoF paper where a variant is named; an unknown name stands as it is."""
    return f"{_FUSIONS.get(fusion, fusion)} {variant}".strip()


def contender_label(contender: str) -> str:
    """The words of a contender (see `method_scores.chosen`): fusion, or fusion|variant."""
    fusion, _, variant = contender.partition("|")
    return method_label(fusion, variant)


def pair_label(pair: str) -> str:
    """WaveNet + FT-Transformer of wavenet|ft_transformer; one encoder alone where the other has no part."""
    return " + ".join(_ENCODERS.get(name, name) for name in pair.split("|") if name) or "no encoder"


def arm_label(arm: str) -> str:
    """Whether the encoders learn with the fusion, in words."""
    return _ARMS.get(arm, arm)


def metric_label(metric: str) -> str:
    """ACC at 0.5."""
    return COLUMNS.get(metric, metric)


def three(value: float) -> str:
    """Three digits, as the paper prints them (what differs here are thousandths); a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.3f}"


def signed_three(value: float) -> str:
    """+0.012 or −0.003."""
    return "–" if math.isnan(value) else f"{value:+.3f}".replace("-", "−")


def seeds_in_words(seeds: list[int]) -> str:
    """One seed (0), or mean over 3 seeds (0, 1, 2)."""
    listed = ", ".join(str(seed) for seed in sorted(seeds))
    return f"one seed ({listed})" if len(seeds) == 1 else f"mean over {len(seeds)} seeds ({listed})"
