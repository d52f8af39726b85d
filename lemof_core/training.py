"""A module with a loss in, the same module trained: one loop for encoders and for cross-attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.config import TrainingConfig
from lemof_core.ecg_signal import MODEL_FS
from lemof_core.errors import ModelMistake
from lemof_core.level_heads import LevelPredictor

Progress = Callable[[str, int, int], None]  # (what, done, total)


@dataclass
class History:
    """Losses per epoch, and the epoch that was kept (0-based; -1 when no epoch ran)."""

    train: list[float] = field(default_factory=list)
    val: list[float] = field(default_factory=list)
    kept: int = -1


def fit_epochs(
    module: nn.Module,
    *,
    what: str,
    step_loss: Callable[[np.ndarray], Tensor],
    val_loss: Callable[[], float] | None,
    rows: np.ndarray,
    max_epochs: int,
    patience: int,
    batch_size: int,
    lr: float,
    weight_decay: float,
    rng: np.random.Generator,
    slower: tuple[nn.Module | None, float] = (None, 0.0),
    on_epoch: Callable[[int], None] = lambda epoch: None,
) -> History:
    """Leave `module` in eval mode with the weights of its best validation loss (the last ones without validation).

    AdamW with a cosine from lr to 0; vectors (biases, norms) are not decayed. A loss that is not finite, of training or
    of validation, raises ModelMistake: no weights that came of it are kept.
    what: the module's name in that sentence. slower: a part of the module, and its own learning rate.
    """
    optimiser = _optimiser(module, lr, weight_decay, slower)
    history, best, kept = History(), math.inf, None
    n_steps = max_epochs * math.ceil(len(rows) / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(n_steps, 1))
    for epoch in range(max_epochs):
        module.train()
        order, losses = rng.permutation(rows), []
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            if len(part) < 2:
                continue  # a single row has no batch statistics; it has its turn in the next epoch's order
            optimiser.zero_grad(set_to_none=True)
            loss = step_loss(part)
            loss.backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
        module.eval()
        history.train.append(float(np.mean(losses)) if losses else math.nan)
        _refuse_nan(history.train[-1], what, "loss", epoch)
        on_epoch(epoch + 1)
        if val_loss is None:
            history.kept = epoch
            continue
        history.val.append(val_loss())
        _refuse_nan(history.val[-1], what, "validation loss", epoch)
        if history.val[-1] < best:
            best, history.kept = history.val[-1], epoch
            kept = {name: value.clone() for name, value in module.state_dict().items()}
        elif epoch - history.kept >= patience:
            break
    if kept is not None:
        module.load_state_dict(kept)
    module.eval()
    return history


def _optimiser(
    module: nn.Module, lr: float, weight_decay: float, slower: tuple[nn.Module | None, float]
) -> torch.optim.Optimizer:
    """Return AdamW over the module; matrices alone are decayed, and the slower part has its own learning rate.

    # NOTE[DIFF] paper (FT-Transformer): its tokenizer is not decayed. here: its matrices are, like all others.
    # because: one rule for every network; lr times decay is 5e-8 a step there.
    # NOTE[DIFF] papers (FT-Transformer, TabTransformer, TPC): a search for lr, width and dropout, or their own. here:
    # fixed ones, found once on patients apart. because: two cores; no encoder gets more trials than another.
    # NOTE[DIFF] paper (TabNet): Adam, 256 rows a step, up to 60 epochs. here: AdamW, 64 rows, 12 epochs, as for all
    # encoders of the record. because: what is compared is fusion, on equal terms.
    """
    held_back = set() if slower[0] is None else set(slower[0].parameters())
    groups = []
    for late, rate in ((False, lr), (True, slower[1])):
        some = [p for p in module.parameters() if (p in held_back) == late]
        groups.append({"params": [p for p in some if p.ndim > 1], "weight_decay": weight_decay, "lr": rate})
        groups.append({"params": [p for p in some if p.ndim <= 1], "weight_decay": 0.0, "lr": rate})
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=lr)


def _refuse_nan(loss: float, what: str, kind: str, epoch: int) -> None:
    if not math.isfinite(loss):
        raise ModelMistake(f"training stopped: the {kind} of {what} became {loss} in epoch {epoch + 1}; lower its lr")


def train_level_predictor(
    predictor: LevelPredictor,
    cohort: ScaledCohort,
    *,
    modality: str,
    train: np.ndarray,
    val: np.ndarray,
    config: TrainingConfig,
    seed: int,
    on_epoch: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> dict[str, History]:
    """Leave the predictor trained on `train` (Stage 1), early-stopped on `val`; return its histories by phase."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    most = round(config.max_shift_s * MODEL_FS) if modality == "ecg" else 0
    class_weights = _balance(cohort.arrays.labels[train]) if config.balanced else None

    def loss_of(rows: np.ndarray, label_weight: float, aux_weight: float, moved: bool) -> Tensor:
        part = cohort.ecg(rows) if modality == "ecg" else cohort.ehr(rows)
        return predictor.loss(
            _shifted(part, rng, most) if moved and most else part,
            cohort.targets(rows),
            torch.from_numpy(cohort.aux[rows]),
            label_weight=label_weight,
            aux_weight=aux_weight,
            class_weights=class_weights,
        )

    @torch.no_grad()
    def val_loss(label_weight: float, aux_weight: float) -> float:
        parts = np.array_split(val, math.ceil(len(val) / 256))
        losses = [float(loss_of(rows, label_weight, aux_weight, False)) * len(rows) for rows in parts]
        return sum(losses) / len(val)

    def run(phase: str, epochs: int, label_weight: float, aux_weight: float) -> History:
        # The label loss alone decides when to stop, once the label is what is learnt.
        watched = partial(val_loss, label_weight, 0.0 if label_weight else aux_weight)
        return fit_epochs(
            predictor,
            what=f"the {modality.upper()} encoder",
            step_loss=lambda rows: loss_of(rows, label_weight, aux_weight, True),
            val_loss=watched if len(val) else None,
            rows=train,
            max_epochs=epochs,
            patience=config.patience,
            batch_size=config.batch_size,
            lr=config.lr,
            weight_decay=config.weight_decay,
            rng=rng,
            on_epoch=lambda epoch: on_epoch(f"{modality} {phase}", epoch, epochs),
        )

    histories = {}
    if config.pretrain_epochs and len(predictor.aux_heads):
        histories["pretrain"] = run("pre-training", config.pretrain_epochs, 0.0, 1.0)
    histories["label"] = run("training", config.max_epochs, 1.0, config.aux_weight)
    return histories


def _balance(labels: np.ndarray) -> Tensor:
    """Return what a sample of each class counts (2,), so that both classes have the same weight in all: n / (2 n_c)."""
    counts = np.bincount(labels.astype(int), minlength=2)
    return torch.tensor(len(labels) / (2 * np.maximum(counts, 1)), dtype=torch.float32)


def _shifted(modality: Modality, rng: np.random.Generator, most: int) -> Modality:
    """Return the ECG moved by up to `most` samples (they wrap round), the same shift for all leads of a record.

    # NOTE[DIFF] paper: no augmentation (preset `paper`). here (preset `robust`): a shift in time at each step.
    # because: where a 10 s strip begins means nothing, and 1,500 records are too few to learn that from.
    """
    signal = modality.tensors["signal"]
    shifts = rng.integers(-most, most + 1, len(signal))
    moved = torch.stack([torch.roll(one, int(shift), dims=-1) for one, shift in zip(signal, shifts, strict=True)])
    return Modality({**modality.tensors, "signal": moved}, modality.present)
