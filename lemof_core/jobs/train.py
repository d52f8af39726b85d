"""`lemof train`: the store's samples in, a fitted run in the store out."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from cohort_db import results
from cohort_db.store import Store
from lemof_core.checkpoint import fingerprint, load_model, read_document, save_model
from lemof_core.config import RunConfig
from lemof_core.decision import Decision
from lemof_core.fitting.fit import check_fusion, fit
from lemof_core.fitting.workers import N_THREADS
from lemof_core.fusion.lemof import LemofModel
from lemof_core.jobs.bridge import describe_data, load_cohort
from lemof_core.jobs.progress import Report, quiet


def train(store: Store, config: RunConfig, *, progress: Report = quiet) -> dict[str, Any]:
    """Fit a run and store it with its weights; return run_id, counts, k* and what was not estimable."""
    check_fusion(config)
    torch.set_num_threads(N_THREADS)
    cohort = load_cohort(store, config.task)
    progress("reading the cohort", len(cohort.arrays), len(cohort.arrays))
    model = fit(cohort.arrays, cohort.splits, config, progress=progress, kept_in=store.folder / "levels")
    data = describe_data(store, cohort, config.task)
    store.runs_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.runs_folder) as draft:
        folder = Path(draft) / "model"
        run_id = save_model(model, folder, extra={"data": data, "created_at": datetime.now(UTC).isoformat()})
        target = store.runs_folder / run_id
        if not target.exists():
            shutil.move(folder, target)
    # The row comes last: a run that is listed has its weights on disk.
    register(store, target, shipped=False)
    report = model.report
    decision = model.decisions.get("both", model.decisions["ehr"])
    return {
        "run_id": run_id,
        "n": {name: facts["n"] for name, facts in data["n_by_split"].items()},
        "k_star": decision.k_star if isinstance(decision, Decision) else None,
        "pair": report.get("pair"),
        "seconds": report["seconds"],
        "not_estimable": report["not_estimable"],
    }


def register(store: Store, folder: Path, *, shipped: bool) -> str:
    """Make the saved model in `folder` a run of the store and return its id; a run that is there stays as it is."""
    document = read_document(folder)
    run_id = fingerprint(folder)
    config, extra, report = document["config"], document["extra"], document["report"]
    data = extra["data"]
    row = {
        "run_id": run_id,
        "task": config["task"],
        "fusion": config["fusion"],
        "preset": config["preset"],
        "ecg_encoder": config["ecg_encoder"],
        "ehr_encoder": config["ehr_encoder"],
        "fitting": config["fitting"],
        "seed": config["seed"],
        "config": config,
        "folder": f"shipped:{folder.name}" if shipped else folder.name,
        "created_at": datetime.fromisoformat(extra["created_at"]).replace(tzinfo=None),
        "code_version": document["code_version"],
        "synthetic": data["synthetic"],
        "surrogate_ecg": data["surrogate_ecg"],
        "shipped": shipped,
        "n_by_split": data["n_by_split"],
        "not_estimable": report["not_estimable"],
        "fit_report": {key: value for key, value in report.items() if key != "not_estimable"}
        | {"rules": data.get("rules")},
        "t0_hours": data["t0_hours"],
        "cut_hours": data["cut_hours"],
    }
    keys = ("threshold", "n", "events", "base_logit", "base_p", "base_rate", "n_base")
    calibrations = [
        {"path": path, "slope": stage["platt"]["weights"][0], "intercept": stage["platt"]["intercept"]}
        | {key: document["calibration"][path][key] for key in keys}
        for path, stage in document["decisions"].items()
    ]
    conformals = [
        {"path": path, **cutoff} for path, facts in document["calibration"].items() for cutoff in facts["conformal"]
    ]
    results.add_run(
        store,
        row,
        calibrations=calibrations,
        conformals=conformals,
        level_choices=document["level_choices"],
        stage_weights=_stage_weights(load_model(folder)),
    )
    return run_id


def _stage_weights(model: LemofModel) -> list[dict[str, Any]]:
    """Return one row per weight of the stack, with its spread over the bootstrap refits."""
    out = []
    for path, decision in model.decisions.items():
        refits = model.refits[path]
        column = 0
        for stage, logistic in decision.logistics().items():
            names = [*logistic.inputs, "intercept"]
            values = [*logistic.weights.tolist(), logistic.intercept]
            means, scales = [*logistic.mean.tolist(), 0.0], [*logistic.scale.tolist(), 1.0]
            for name, value, mean, scale in zip(names, values, means, scales, strict=True):
                spread = sorted(refits[:, column].tolist()) if len(refits) else []
                out.append(
                    {
                        "path": path,
                        "stage": stage,
                        "input": name,
                        "weight": value,
                        "mean": mean,
                        "scale": scale,
                        "lo": spread[int(0.05 * (len(spread) - 1))] if spread else None,
                        "hi": spread[int(0.95 * (len(spread) - 1))] if spread else None,
                    }
                )
                column += 1
    return out
