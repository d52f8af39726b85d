"""What reads both modalities, trained on one fold: Module 2, a rival's network, boosted trees. Its log-odds out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lemof_core.batch import Modality, ScaledCohort
from lemof_core.boosted_trees import BoostedTrees
from lemof_core.config import CrossAttentionConfig, NetConfig, RunConfig
from lemof_core.encoders import Level
from lemof_core.fitting.level_stage import LevelCache
from lemof_core.fusion.joint import Encoded, Joint, TreeJoint, absent_levels, tree_features, without_ecg
from lemof_core.level_heads import LevelPredictor
from lemof_core.training import History, Progress, fit_epochs

_AT_ONCE = 256  # rows of a forward pass without gradients


@dataclass(frozen=True)
class FoldSamples:
    """One fold's cohort with its frozen predictors and their cached outputs, cut into batches of encoded samples."""

    ecg: LevelPredictor | None
    ehr: LevelPredictor
    caches: dict[str, LevelCache]
    cohort: ScaledCohort

    def level_ports(self, rows: np.ndarray) -> np.ndarray:
        """Return the level log-odds (n, 6), ECG's first; NaN for those of an absent ECG."""
        ports = np.full((len(rows), 6), np.nan)
        ports[:, 3:] = self.caches["ehr"].take_logits(rows)
        has = self.cohort.arrays.ecg_present[rows]
        if self.ecg is not None and has.any():
            ports[has, :3] = self.caches["ecg"].take_logits(rows[has])
        return ports

    def of(self, modality: str) -> tuple[LevelPredictor, LevelCache] | None:
        """Return a modality's predictor and what it makes of the rows; None where that is not there (any more)."""
        predictor, cache = self.ehr if modality == "ehr" else self.ecg, self.caches.get(modality)
        return None if predictor is None or cache is None else (predictor, cache)

    def ecg_predictor(self) -> LevelPredictor:
        """Return the ECG's predictor; there must be one."""
        if self.ecg is None:
            raise ValueError("no ECG predictor could be fitted, and nothing reads both modalities")
        return self.ecg

    def encoded(self, rows: np.ndarray, *, ecg_of: np.ndarray | None = None, raw: bool = False) -> Encoded:
        """Return the rows with their frozen levels; `raw`: with their signals alone, for a joint's own encoders.

        ecg_of: the rows (n,) whose ECGs they are given in place of their own.
        """
        ehr, ecg_of = self.cohort.ehr(rows), rows if ecg_of is None else ecg_of
        if raw:
            return Encoded(self.cohort.ecg(ecg_of), ehr, [], [], torch.empty(len(rows), 0))
        present = self.cohort.arrays.ecg_present[ecg_of]
        levels, summary = self._ecg_levels(ecg_of, present)
        ecg = Modality({"measured": self.cohort.measured(ecg_of)}, torch.from_numpy(present))
        return Encoded(ecg, ehr, levels, self._ehr_levels(rows), summary)

    def encoded_alone(self, rows: np.ndarray) -> Encoded:
        """Return the rows as if they had no ECG."""
        return without_ecg(self.ecg_predictor(), self._ehr_levels(rows), self.cohort.ehr(rows))

    def _ehr_levels(self, rows: np.ndarray) -> list[Level]:
        return [self.caches["ehr"].take(rows, k) for k in (1, 2, 3)]

    def _ecg_levels(self, rows: np.ndarray, present: np.ndarray) -> tuple[list[Level], Tensor]:
        cache, there = self.caches["ecg"], rows[present]
        if present.all():
            return [cache.take(rows, k) for k in (1, 2, 3)], cache.summary[cache.positions(rows)]
        at = torch.from_numpy(np.flatnonzero(present))
        levels = absent_levels(self.ecg_predictor().encoder.levels, len(rows))
        summary = torch.zeros(len(rows), self.ecg_predictor().d_summary)
        if len(there):
            for k, level in enumerate(levels):
                known = cache.take(there, k + 1)
                level.tokens[at], level.mask[at] = known.tokens, known.mask
            summary[at] = cache.summary[cache.positions(there)]
        return levels, summary


def fit_joint(
    joint: Joint,
    samples: FoldSamples,
    learn: np.ndarray,
    val: np.ndarray,
    config: RunConfig,
    training: CrossAttentionConfig | NetConfig,
    *,
    what: str,
    seed: int,
    progress: Progress,
    teacher: TreeJoint | None = None,
) -> History:
    """Leave the joint trained on `learn`, early-stopped on `val`: alone, or with its own encoders where it has them.

    Rows without an ECG are left out unless it can read them. With a teacher the joint learns what that one says, and no
    label: of records and ECGs of different patients put together (`config.exchange`), where a record without an ECG
    has its part in any joint; or of the patients' own. It is stopped by the labels of `val` all the same.
    # NOTE[DIFF] paper, papers of all rivals: networks learn the labels. here (but in preset `paper`): the probabilities
    # of boosted trees that read measured quantities, on exchanged pairs. because: a few thousand labels teach a network
    # how the modalities cross only as it starts to learn them by heart; exchanged pairs are without number.
    # NOTE[DIFF] papers of all rivals: each its own optimiser, rate, schedule, class weights and rule to stop (MedFuse a
    # search, DrFuse Adam to the best AUPRC, MMTM three optimisers in turn). here: AdamW, one rate, batches of 64, the
    # least loss on val. because: what is compared is how they fuse, not who was tuned longest.
    """
    cohort, tuned = samples.cohort, joint.tuned
    usable = learn
    if not joint.handles_missing_ecg:
        usable, val = (rows[cohort.arrays.ecg_present[rows]] for rows in (learn, val))
    exchanged = teacher is not None and config.exchange and len(usable) > 0
    epochs, patience = training.max_epochs, training.patience
    if tuned is not None:
        epochs, patience = config.tuning.max_epochs, config.tuning.patience

    def loss_of_labels(rows: np.ndarray) -> Tensor:
        return joint.loss(samples.encoded(rows, raw=tuned is not None), cohort.targets(rows))

    givers = usable if exchanged else None

    @torch.no_grad()
    def val_loss() -> float:
        parts = [val[i : i + _AT_ONCE] for i in range(0, len(val), _AT_ONCE)]
        return sum(float(loss_of_labels(part)) * len(part) for part in parts) / len(val)

    return fit_epochs(
        joint,
        what=what,
        step_loss=loss_of_labels if teacher is None else _taught_loss(joint, samples, teacher, givers, seed),
        val_loss=val_loss if len(val) else None,
        rows=learn if exchanged else usable,
        max_epochs=epochs,
        patience=patience,
        batch_size=64,
        lr=training.lr,
        weight_decay=training.weight_decay,
        rng=np.random.default_rng(seed),
        slower=(tuned, config.tuning.encoder_lr),
        on_epoch=lambda epoch: progress(what, epoch, epochs),
    )


def _taught_loss(
    joint: Joint, samples: FoldSamples, teacher: TreeJoint, givers: np.ndarray | None, seed: int
) -> Callable[[np.ndarray], Tensor]:
    """Return the loss of a batch of rows against what the teacher says of them with the ECGs of drawn `givers`.

    givers None: with their own ECGs.
    """
    rng = np.random.default_rng([seed, 1])

    def loss(rows: np.ndarray) -> Tensor:
        others = rows if givers is None else rng.choice(givers, len(rows), replace=len(rows) > len(givers))
        seen = samples.encoded(rows, ecg_of=others)
        told = torch.sigmoid(teacher.logit(seen))
        return joint.loss(seen if joint.tuned is None else samples.encoded(rows, ecg_of=others, raw=True), told)

    return loss


def fit_trees(samples: FoldSamples, learn: np.ndarray, val: np.ndarray, *, reads: str, seed: int) -> TreeJoint:
    """Return boosted trees grown on `learn`, as many as `val` wants."""
    labels = samples.cohort.arrays.labels
    x = tree_features(samples.encoded(learn), reads=reads)
    x_val = tree_features(samples.encoded(val), reads=reads) if len(val) else None
    trees = BoostedTrees.fit(x, labels[learn], x_val, labels[val] if len(val) else None, seed=seed)
    return TreeJoint(trees, reads=reads)


@torch.no_grad()
def joint_logits(joint: Joint, samples: FoldSamples, rows: np.ndarray, *, alone: bool = False) -> np.ndarray:
    """Return log-odds (n,) of the rows; `alone` as if they had no ECG. NaN where the joint cannot say."""
    out = np.full(len(rows), np.nan)
    can = np.ones(len(rows), dtype=bool)
    if not joint.handles_missing_ecg:
        can = np.zeros_like(can) if alone else samples.cohort.arrays.ecg_present[rows]
    at = np.flatnonzero(can)
    for start in range(0, len(at), _AT_ONCE):
        part = at[start : start + _AT_ONCE]
        raw = joint.tuned is not None
        encoded = samples.encoded_alone(rows[part]) if alone else samples.encoded(rows[part], raw=raw)
        out[part] = joint.logit(encoded)[:, 0].double().numpy()
    return out
