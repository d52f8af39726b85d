"""A training step of every encoder in bfloat16 autocast against float32, peak memory, and cached levels against none.

bfloat16 is worth its name only where it is faster and the level predictions stay as good; both are measured.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from side_by_side import ratio, report
from sklearn.metrics import roc_auc_score

from cohort_db.store import open_store
from cohort_db.synthetic import write_cohort
from lemof_core.batch import ScaledCohort
from lemof_core.config import preset
from lemof_core.ehr_series import Scaler
from lemof_core.encoders import REGISTRIES
from lemof_core.fitting.joint_stage import FoldSamples
from lemof_core.fitting.level_stage import cache_levels
from lemof_core.fusion.fold_model import make_predictor, make_rival
from lemof_core.jobs.bridge import load_cohort
from lemof_core.jobs.ingest import ingest
from lemof_core.level_heads import LevelPredictor

N_STAYS, BATCH, REPEATS = 260, 64, 7
N_EPOCHS = 4  # of the short training whose AUROC is compared


def cohort_in(folder: Path) -> tuple[ScaledCohort, Scaler]:
    """Return a synthetic cohort, ingested and scaled."""
    write_cohort(folder / "raw", n_stays=N_STAYS, seed=0)
    store = open_store(f"sqlite:///{folder / 'cohort.db'}", create=True)
    ingest(store, folder / "raw", folder / "raw" / "ecg")
    cohort = load_cohort(store)
    store.close()
    scaler = Scaler.fit(cohort.arrays, np.arange(len(cohort.arrays)))
    return scaler.transform(cohort.arrays), scaler


def predictor_of(modality: str, name: str, scaler: Scaler) -> LevelPredictor:
    """Return an untrained predictor of the encoder, always the same one."""
    torch.manual_seed(0)
    return make_predictor(modality, preset("robust", **{f"{modality}_encoder": name}), scaler)


def step(predictor: LevelPredictor, cohort: ScaledCohort, modality: str, rows: np.ndarray, *, bf16: bool) -> None:
    """Run forward and backward of one batch."""
    part = cohort.ecg(rows) if modality == "ecg" else cohort.ehr(rows)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        loss = predictor.loss(
            part, cohort.targets(rows), torch.from_numpy(cohort.aux[rows]), label_weight=1.0, aux_weight=0.5
        )
    loss.backward()


def auroc_after(modality: str, name: str, cohort: ScaledCohort, scaler: Scaler, *, bf16: bool) -> float:
    """Return the mean-level AUROC on held-out stays after a short training."""
    predictor = predictor_of(modality, name, scaler)
    optimiser = torch.optim.AdamW(predictor.parameters(), lr=1e-3)
    usable = np.flatnonzero(cohort.arrays.ecg_present)
    learn, held = usable[: len(usable) // 2], usable[len(usable) // 2 :]
    rng = np.random.default_rng(0)
    for _ in range(N_EPOCHS):
        for rows in np.array_split(rng.permutation(learn), max(1, len(learn) // BATCH)):
            optimiser.zero_grad()
            step(predictor, cohort, modality, rows, bf16=bf16)
            optimiser.step()
    predictor.eval()
    with torch.no_grad():
        part = cohort.ecg(held) if modality == "ecg" else cohort.ehr(held)
        score = predictor.level_logits(predictor.levels(part)).mean(1)
    return float(roc_auc_score(cohort.arrays.labels[held], score.numpy()))


def peak_mb(modality: str, name: str, folder: Path) -> float:
    """Return how much more memory a process needs that also takes three training steps (MB)."""
    told = subprocess.run(
        [sys.executable, __file__, "--peak", modality, name, str(folder)], capture_output=True, text=True, check=True
    )
    return float(told.stdout.splitlines()[-1])


def tell_peak(modality: str, name: str, folder: Path) -> None:
    """Print how far above what it holds this process's memory rises in three steps (MB); Linux alone can say."""
    torch.set_num_threads(1)
    store = open_store(f"sqlite:///{folder / 'cohort.db'}")
    arrays = load_cohort(store).arrays
    scaler = Scaler.fit(arrays, np.arange(len(arrays)))
    cohort, predictor = scaler.transform(arrays), predictor_of(modality, name, scaler)
    Path("/proc/self/clear_refs").write_text("5")  # the peak of reading the cohort is not of interest
    before = memory_kb("VmRSS")
    for _ in range(3):
        step(predictor, cohort, modality, np.flatnonzero(arrays.ecg_present)[:BATCH], bf16=False)
    print((memory_kb("VmHWM") - before) / 1024)


def memory_kb(name: str) -> int:
    """Return a line of this process's status: VmRSS, what it holds, or VmHWM, the most that it held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        cohort, scaler = cohort_in(folder)
        rows = np.flatnonzero(cohort.arrays.ecg_present)[:BATCH]
        found: dict[str, dict[str, float]] = {}
        for modality, registry in REGISTRIES.items():
            for name in sorted(registry):
                predictor = predictor_of(modality, name, scaler)
                half = ratio(
                    lambda p=predictor, m=modality: step(p, cohort, m, rows, bf16=True),
                    lambda p=predictor, m=modality: step(p, cohort, m, rows, bf16=False),
                    repeats=REPEATS,
                )
                found[f"{modality} {name}"] = {
                    "bf16_time_over_fp32": half["ratio"],
                    "samples_per_s_fp32": round(BATCH / half["theirs_s"], 1),
                    "samples_per_s_bf16": round(BATCH / half["ours_s"], 1),
                    "auroc_fp32": round(auroc_after(modality, name, cohort, scaler, bf16=False), 3),
                    "auroc_bf16": round(auroc_after(modality, name, cohort, scaler, bf16=True), 3),
                    "peak_mb": round(peak_mb(modality, name, folder)),
                    "parameters": sum(p.numel() for p in predictor.parameters()),
                }
        report(
            "encoder_training_ratio",
            {"batch": BATCH, "encoders": found, "cached_levels": cached_levels(cohort, scaler, rows)},
        )


def cached_levels(cohort: ScaledCohort, scaler: Scaler, rows: np.ndarray) -> dict[str, float]:
    """Return a fusion's training step on cached levels against one that runs the frozen encoders again."""
    config = preset("robust", fusion="medfuse")
    ecg, ehr = (
        predictor_of(modality, getattr(config, f"{modality}_encoder"), scaler).eval() for modality in ("ecg", "ehr")
    )
    caches = {"ecg": cache_levels(ecg, cohort, rows, "ecg"), "ehr": cache_levels(ehr, cohort, rows, "ehr")}
    samples = FoldSamples(ecg, ehr, caches, cohort)
    joint = make_rival(config, ecg, ehr, scaler).train()

    def cached() -> None:
        joint.loss(samples.encoded(rows), cohort.targets(rows)).backward()

    def anew() -> None:
        part = {"ecg": cache_levels(ecg, cohort, rows, "ecg"), "ehr": cache_levels(ehr, cohort, rows, "ehr")}
        joint.loss(FoldSamples(ecg, ehr, part, cohort).encoded(rows), cohort.targets(rows)).backward()

    return ratio(cached, anew, repeats=REPEATS)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        tell_peak(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main()
