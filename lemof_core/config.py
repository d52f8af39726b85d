"""What a run is made with: frozen dataclasses, one sentence and unit a field, stored as JSON with the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from lemof_core.errors import ModelMistake

PRESETS = ("robust", "paper")
FITTINGS = ("oof5", "holdout", "naive")
ARMS = ("frozen", "finetuned")
MAX_SEED = 2**31 - 1  # what is added to it below stays within the 32 bits that scikit-learn takes
LEVEL_CHOICES = ("cv_gain", "k_star", "fixed", "random")
TEACHERS = ("trees", "none")
LINKS = ("logit", "prob")
POOLINGS = ("own", "mean")
Share = Annotated[float, Field(ge=0, lt=1)]
Shift = Annotated[float, Field(ge=0, le=10)]
Width = Annotated[int, Field(ge=1, le=4096)]
Levels = tuple[PositiveFloat, PositiveFloat, PositiveFloat]
Penalties = tuple[NonNegativeFloat, ...]
_CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False)  # what holds of every part that is read from JSON
# Of an encoder, by the names of its arguments.
Sizes = dict[str, PositiveInt | NonNegativeFloat | Annotated[tuple[PositiveInt, ...], Field(min_length=1)]]
# What each EHR encoder was found to learn with; the others take 1e-3.
EHR_LR = {"ft_transformer": 5e-4, "tab_transformer": 5e-4, "tabnet": 1e-2}


@dataclass(frozen=True)
class TrainingConfig:
    """How an encoder with its level heads is trained."""

    __pydantic_config__ = _CHECKED

    max_epochs: PositiveInt = 16  # passes over the training rows
    patience: PositiveInt = 4  # epochs without a better validation loss before stopping
    batch_size: Annotated[int, Field(ge=2)] = 64  # samples a step
    lr: PositiveFloat = 1e-3  # peak AdamW learning rate, cosine to zero
    weight_decay: NonNegativeFloat = 1e-4  # AdamW
    pretrain_epochs: NonNegativeInt = 0  # epochs on the auxiliary targets alone before the label is seen
    aux_weight: NonNegativeFloat = 0.0  # weight of the auxiliary loss beside the label loss
    max_shift_s: Shift = 0.0  # each step moves the ECG in time by up to so many seconds; the paper does not
    level_weights: Levels = (1.0, 1.0, 1.0)  # what the label loss of each level counts
    balanced: bool = False  # both classes weigh the same in the loss, however rare one is


@dataclass(frozen=True)
class CrossAttentionConfig:
    """Module 2: how the best levels attend to each other."""

    __pydantic_config__ = _CHECKED

    d: Width = 96  # width of queries, keys and values
    n_heads: PositiveInt = 4  # attention heads; the paper writes one
    vectors: bool = False  # each level is one pooled vector, not its tokens; what is asked then changes no answer
    residual: bool = True  # add the query token's own content to what it attends to
    mlp_head: bool = True  # small MLP before the output; the paper's eq. 12 is linear
    norm: bool = True  # LayerNorm before the output; the paper's eq. 12 reads the attended tokens as they are
    skip: bool = True  # the ECG's read-out quantities and raw EHR facts reach the head beside the attention
    own_ehr_tokens: bool = True  # offer a "level 0": EHR tokens learnt by M2 itself
    max_epochs: PositiveInt = 20  # passes over the training rows
    patience: PositiveInt = 5  # epochs without a better validation loss
    lr: PositiveFloat = 1e-3  # AdamW learning rate
    weight_decay: NonNegativeFloat = 1e-2  # AdamW
    dropout: Share = 0.0  # in the head; half of it on what skips. Taught, it has no labels to learn by heart

    def __post_init__(self) -> None:
        """Refuse heads of unequal width."""
        if not self.vectors and self.d % self.n_heads:
            raise ModelMistake(f"d must be a multiple of n_heads, however: d = {self.d}, n_heads = {self.n_heads}")


@dataclass(frozen=True)
class NetConfig:
    """How a rival's network is built and trained."""

    __pydantic_config__ = _CHECKED

    d: Width = 96  # width of its hidden layers, that of Module 2
    multi_level: bool = False  # a modality that it reads as one vector is all three levels side by side, not level 3
    dropout: Share = 0.0  # of its hidden layers, that of Module 2's head
    raw_view: bool = True  # its head reads what LeMoF's skip reads: the ECG's read-out quantities and raw EHR facts
    max_epochs: PositiveInt = 20  # passes over the training rows
    patience: PositiveInt = 5  # epochs without a better validation loss
    lr: PositiveFloat = 1e-3  # AdamW learning rate
    weight_decay: NonNegativeFloat = 1e-2  # AdamW


@dataclass(frozen=True)
class TuningConfig:
    """Arm "finetuned": copies of the encoders learn on together with what reads both of them."""

    __pydantic_config__ = _CHECKED

    max_epochs: PositiveInt = 6  # passes over the training rows, for Module 2 and every rival alike
    patience: PositiveInt = 2  # epochs without a better validation loss
    encoder_lr: PositiveFloat = 2e-4  # AdamW learning rate of the encoders; what is new takes its own


@dataclass(frozen=True)
class DecisionConfig:
    """Modules 1 and 3: the logistic stack G and its calibration."""

    __pydantic_config__ = _CHECKED

    link: str = "logit"  # G reads standardised level logits, or "prob": plain probabilities (paper)
    nonnegative: bool = True  # weights >= 0
    penalties: Penalties = (1.0, 10.0, 100.0, 1000.0)  # ridge towards equal weights, chosen by cross-validation
    for_mean: bool = True  # fitted for the mean over folds, which has less noise than the folds that it is fitted to
    towards_cross: bool = True  # the ridge of the last stage draws to Module 2 alone, not to equal weights
    n_bootstrap: NonNegativeInt = 200  # refits for k* frequencies and prediction intervals
    n_background: PositiveInt = 256  # port rows that absent players are averaged over
    n_input_background: PositiveInt = 16  # whole patients that input_phi averages over

    def __post_init__(self) -> None:
        """Refuse an unknown link, no penalty to choose from, and a noise that no stage could take out."""
        if self.link not in LINKS:
            raise ModelMistake(f"link must be one of {', '.join(LINKS)}, however: {self.link!r}")
        if not self.penalties:
            raise ModelMistake("penalties must name at least one, however: none")
        if self.link == "prob" and self.for_mean:
            raise ModelMistake("for_mean takes noise out of log-odds, however: link = 'prob'; use link='logit'")


# What Module 2 and the rivals' networks need where they learn the labels themselves: they over-fit within few epochs.
UNTAUGHT: dict[str, Any] = {"dropout": 0.5, "max_epochs": 14, "patience": 3}


@dataclass(frozen=True)
class RunConfig:
    """Everything that makes a run; two equal configs on equal data give equal weights."""

    __pydantic_config__ = _CHECKED

    task: str = "los"
    fusion: str = "lemof"
    preset: str = "robust"
    ecg_encoder: str = "resnet"
    ehr_encoder: str = "ft_transformer"
    fitting: str = "oof5"
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = 0
    n_folds: PositiveInt = 5  # folds of oof fitting
    arm: str = "frozen"  # frozen: what fuses reads the levels of Stage 1; finetuned: its own encoders learn on
    level_choice: str = "k_star"  # what M2 reads: k*, the pair with the best cv_gain over M1, fixed (3, 3) or random
    teacher: str = "trees"  # whose probabilities M2, or a rival's network, learns; none: it learns the labels
    exchange: bool = True  # the teacher is asked about records and ECGs of different patients put together
    ecg_sizes: Sizes = field(default_factory=dict)  # the encoder's own where empty: widths, d, n_layers ...
    ehr_sizes: Sizes = field(default_factory=dict)
    own_transform: bool = True  # eq. 1's W and b before each block are learnt; else they stay the identity
    pooling: str = "own"  # how a level's tokens become one vector: as its encoder says, or their mean
    ecg_training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(max_epochs=14, pretrain_epochs=10, aux_weight=0.5, max_shift_s=1.0)
    )
    ehr_training: TrainingConfig = field(default_factory=lambda: TrainingConfig(max_epochs=12, lr=5e-4))
    cross: CrossAttentionConfig = field(default_factory=CrossAttentionConfig)
    net: NetConfig = field(default_factory=NetConfig)
    tuning: TuningConfig = field(default_factory=TuningConfig)
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    settings: dict[str, str] = field(default_factory=dict)  # what was set by hand on top of the preset, as written

    def __post_init__(self) -> None:
        """Refuse values that no fit could honour."""
        for name, known in (
            ("preset", PRESETS),
            ("fitting", FITTINGS),
            ("arm", ARMS),
            ("level_choice", LEVEL_CHOICES),
            ("teacher", TEACHERS),
            ("pooling", POOLINGS),
        ):
            if getattr(self, name) not in known:
                raise ModelMistake(f"{name} must be one of {', '.join(known)}, however: {getattr(self, name)!r}")
        if self.n_folds < 2:
            raise ModelMistake(f"n_folds must be at least 2, however: {self.n_folds}")

    def encoder(self, modality: str) -> tuple[str, Sizes, TrainingConfig]:
        """Return name, sizes and training of a modality's encoder."""
        if modality == "ecg":
            return self.ecg_encoder, self.ecg_sizes, self.ecg_training
        return self.ehr_encoder, self.ehr_sizes, self.ehr_training

    def with_arm(self, arm: str) -> RunConfig:
        """Return the same run with its encoders frozen, or finetuned."""
        return replace(self, arm=arm)

    def to_json(self) -> dict[str, Any]:
        """Return the config as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RunConfig:
        """Return the config that `to_json` wrote; fields that are not in it have their defaults.

        Raises ModelMistake for a value that a field cannot have, and for a field that there is not.
        """
        try:
            return TypeAdapter(cls).validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(one) for one in first["loc"][:2])
            said = first["msg"].removeprefix("Value error, ")
            if where.startswith(("ecg_sizes.", "ehr_sizes.")):
                said = "a size is a positive number or a list of positive whole numbers"
            raise ModelMistake(f"{where}: {said}" if where else said) from error


def preset(name: str, **changes: Any) -> RunConfig:
    """Return the named preset with top-level fields changed: `robust` (default) or `paper` (literal).

    The EHR encoder's learning rate is the one it learns with, unless `ehr_training` is given.
    """
    config = RunConfig()
    if name == "paper":
        config = RunConfig(
            preset="paper",
            teacher="none",
            ecg_training=TrainingConfig(max_epochs=14),
            cross=CrossAttentionConfig(
                d=64,
                n_heads=1,
                residual=False,
                mlp_head=False,
                norm=False,
                skip=False,
                own_ehr_tokens=False,
                **(UNTAUGHT | {"dropout": 0.0}),
            ),
            net=NetConfig(raw_view=False, **UNTAUGHT),
            decision=DecisionConfig(
                link="prob", nonnegative=False, penalties=(0.0,), for_mean=False, towards_cross=False
            ),
        )
    elif name != "robust":
        raise ModelMistake(f"preset must be one of {', '.join(PRESETS)}, however: {name!r}")
    config = replace(config, **changes)
    if "ehr_training" not in changes:
        lr = EHR_LR.get(config.ehr_encoder, 1e-3)
        config = replace(config, ehr_training=replace(config.ehr_training, lr=lr))
    return config
