"""The command line `lemof`: parse, call a verb of lemof_core.jobs, print what it returned.

Exit 0 on success, 2 on a user's mistake with one sentence on stderr, 1 on anything else. With --json one object on
stdout and nothing else there. Verbs are imported when called: `lemof --help` needs no torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cohort_db.errors import InputMistake
from lemof_core.config import MAX_SEED, preset
from lemof_core.errors import ModelMistake
from lemof_core.jobs import cli_results
from lemof_core.jobs.cli_answer import carry_out, with_store
from lemof_core.jobs.cli_options import (
    Arm,
    AsJson,
    Db,
    EcgEncoder,
    EcgLink,
    EhrEncoder,
    Fitting,
    Fusion,
    Missing,
    OneArm,
    OneFitting,
    Planted,
    Preset,
    PresetName,
    Run,
    Seed,
    Settings,
    Split,
    Task,
)

app = typer.Typer(
    help="Long ICU stays predicted from a 12-lead ECG and the health record, explained.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def demo(db: Db = None, as_json: AsJson = False) -> None:
    """Everything `make run` prepares: a synthetic cohort in the store, scored by the shipped run."""
    from lemof_core.jobs import demo as job

    carry_out("demo", as_json, with_store(db, True, lambda store, report: job.demo(store, progress=report)))


@app.command()
def synth(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.")],
    stays: Annotated[int, typer.Option("--stays", help="Stays to fit on.")],
    test_stays: Annotated[int, typer.Option("--test-stays", help="Further stays that are the test split.")] = 0,
    seed: Seed = 0,
    planted: Annotated[
        Planted | None, typer.Option("--planted", help="Level that holds the ECG's signal; default all.")
    ] = None,
    no_ecg_main: Annotated[bool, typer.Option("--no-ecg-main", help="No main effect of the ECG.")] = False,
    no_cross_modal: Annotated[bool, typer.Option("--no-cross-modal", help="No ECG-EHR interaction.")] = False,
    ecg_missing: Annotated[float, typer.Option("--ecg-missing", help="Share of stays without an ECG.")] = 0.0,
    missing: Annotated[Missing, typer.Option("--missing", help="How the ECG is missing.")] = Missing.mcar,  # type: ignore[attr-defined]
    as_json: AsJson = False,
) -> None:
    """Write a synthetic cohort in MIMIC-IV and MIMIC-IV-ECG layout, with its truth."""
    from lemof_core.jobs import synth as job

    carry_out(
        "synth",
        as_json,
        lambda report: job.synth(
            out,
            stays=stays,
            test_stays=test_stays,
            seed=seed,
            planted=planted.value if planted else None,
            ecg_main=not no_ecg_main,
            cross_modal=not no_cross_modal,
            ecg_missing=ecg_missing,
            missing=missing.value,
            progress=report,
        ),
    )


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="mimic-iv-demo: the open EHR and ECG demos.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to fill; ehr/ and ecg/ appear below it.")],
    as_json: AsJson = False,
) -> None:
    """Fetch open data from PhysioNet; a broken download is continued, every file is checked."""
    from lemof_core.jobs import download as job

    carry_out("download", as_json, lambda report: job.download(name, out, progress=report))


@app.command()
def ingest(
    ehr: Annotated[Path, typer.Option("--ehr", help="Folder of hosp/ and icu/.")],
    ecg: Annotated[Path | None, typer.Option("--ecg", help="Folder of record_list.csv and its WFDB files.")] = None,
    paired: Annotated[bool, typer.Option("--paired", help="Only stays with a linked ECG.")] = False,
    cut_days: Annotated[float, typer.Option("--cut-days", help="A longer stay than this is a long one.")] = 3.0,
    t0_hours: Annotated[float, typer.Option("--t0-hours", help="Hours from ICU admission to the prediction.")] = 24.0,
    ecg_link: Annotated[EcgLink, typer.Option("--ecg-link", help="Which ECG of the window a stay is given.")] = (
        EcgLink.last  # type: ignore[attr-defined]
    ),
    seed: Seed = 0,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Bring a MIMIC-IV folder (and its ECGs) into the store; a second time changes nothing."""
    from cohort_db.cohort import CohortRules
    from lemof_core.jobs import ingest as job

    rules = CohortRules(paired=paired, cut_days=cut_days, t0_hours=t0_hours, ecg_link=ecg_link.value)
    work = with_store(
        db, True, lambda store, report: job.ingest(store, ehr, ecg, rules=rules, seed=seed, progress=report)
    )
    carry_out("ingest", as_json, work)


@app.command()
def train(
    ecg_encoder: EcgEncoder = "resnet",
    ehr_encoder: EhrEncoder = "ft_transformer",
    fusion: Fusion = "lemof",
    arm: OneArm = Arm.frozen,  # type: ignore[attr-defined]
    preset_name: PresetName = Preset.robust,  # type: ignore[attr-defined]
    fitting: OneFitting = Fitting.oof5,  # type: ignore[attr-defined]
    setting: Settings = None,
    task: Task = "los",
    seed: Seed = 0,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model on the store's samples and keep it as a run."""
    from lemof_core.jobs import train as job
    from lemof_core.settings import with_settings

    names = {"ecg_encoder": ecg_encoder, "ehr_encoder": ehr_encoder, "fusion": fusion, "arm": arm.value}
    config = preset(preset_name.value, fitting=fitting.value, task=task, seed=seed, **names)
    config = with_settings(config, setting or [])
    carry_out("train", as_json, with_store(db, False, lambda store, report: job.train(store, config, progress=report)))


@app.command()
def settings(
    ecg_encoder: EcgEncoder = "resnet",
    ehr_encoder: EhrEncoder = "ft_transformer",
    fusion: Fusion = "lemof",
    arm: OneArm = Arm.frozen,  # type: ignore[attr-defined]
    preset_name: PresetName = Preset.robust,  # type: ignore[attr-defined]
    fitting: OneFitting = Fitting.oof5,  # type: ignore[attr-defined]
    as_json: AsJson = False,
) -> None:
    """List what `lemof train --set` can set with these options, and the values that hold where it does not."""
    from lemof_core.fitting.fit import check_fusion
    from lemof_core.settings import known_settings

    names = {"ecg_encoder": ecg_encoder, "ehr_encoder": ehr_encoder, "fusion": fusion, "arm": arm.value}
    config = preset(preset_name.value, fitting=fitting.value, **names)
    check_fusion(config)
    carry_out("settings", as_json, lambda report: known_settings(config))


@app.command()
def score(
    run: Run = None,
    task: Task = "los",
    explain: Annotated[bool, typer.Option("--explain/--no-explain", help="Store the explanations too.")] = True,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Store the run's predictions and explanations of every sample."""
    from lemof_core.jobs import score as job

    work = with_store(
        db, False, lambda store, report: job.score(store, run, task=task, explain=explain, progress=report)
    )
    carry_out("score", as_json, work)


@app.command()
def evaluate(
    run: Run = None,
    task: Task = "los",
    split: Annotated[Split, typer.Option("--split", help="Part to evaluate; anything but test is in-sample.")] = (
        Split.test  # type: ignore[attr-defined]
    ),
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Store the run's metrics with intervals, overall and by stratum."""
    from lemof_core.jobs import evaluate as job

    work = with_store(
        db, False, lambda store, report: job.evaluate(store, run, task=task, split=split.value, progress=report)
    )
    carry_out("evaluate", as_json, work)


@app.command()
def runs(task: Task = "los", db: Db = None, as_json: AsJson = False) -> None:
    """List the runs of the store, newest first."""
    from lemof_core.jobs import status as job

    carry_out("runs", as_json, with_store(db, False, lambda store, report: job.list_runs(store, task)))


@app.command()
def status(db: Db = None, as_json: AsJson = False) -> None:
    """Say what the store holds and what is still to be done."""
    from lemof_core.jobs import status as job

    carry_out("status", as_json, with_store(db, False, lambda store, report: job.status(store)))


@app.command()
def benchmark(
    table: Annotated[str, typer.Argument(help="table1, table2, table3, ablation, leak or sensitivity.")],
    arm: Annotated[list[Arm] | None, typer.Option("--arm", help="Which arms; default both.")] = None,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", min=0, max=MAX_SEED, help="Random seeds; repeat it for several; default 0."),
    ] = None,
    pair: Annotated[
        list[str] | None, typer.Option("--pair", help="Encoders, ECG+EHR; repeat it; default the table's own.")
    ] = None,
    fitting: Annotated[
        Fitting | None, typer.Option("--fitting", help="Default oof5, which is what is reported; leak has all.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder; default benchmark/TABLE beside the store.")] = None,
    ehr: Annotated[Path | None, typer.Option("--ehr", help="sensitivity: folder of hosp/ and icu/.")] = None,
    ecg: Annotated[Path | None, typer.Option("--ecg", help="sensitivity: folder of record_list.csv.")] = None,
    t0_hours: Annotated[list[float] | None, typer.Option("--t0-hours", help="sensitivity: landmarks.")] = None,
    cut_days: Annotated[list[float] | None, typer.Option("--cut-days", help="sensitivity: cuts.")] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Measure a table of the paper on the store's cohort, cell by cell; what is measured is not done again."""
    from lemof_core.jobs import benchmark as job
    from lemof_core.jobs import sensitivity as other

    of_sensitivity = {"--ehr": ehr, "--ecg": ecg, "--t0-hours": t0_hours, "--cut-days": cut_days}
    unread = [name for name, value in of_sensitivity.items() if value is not None and table != "sensitivity"]
    unread += ["--fitting"] if table == "leak" and fitting is not None else []
    if unread:
        raise InputMistake(f"{table} does not read {', '.join(unread)}: leave it away")
    how: dict[str, Any] = {
        "arms": [one.value for one in arm or list(Arm)],
        "seeds": seed or [0],
        "pairs": [_pair(text) for text in pair] if pair else None,
        "fitting": (fitting or Fitting.oof5).value,  # type: ignore[attr-defined]
        "out": out,
    }
    if table != "sensitivity":
        work = with_store(db, False, lambda store, report: job.benchmark(store, table, **how, progress=report))
    elif ehr is None:
        raise InputMistake(
            "sensitivity ingests the raw folders anew for each landmark and cut: name them by --ehr and --ecg"
        )
    else:
        given = {"t0_hours": t0_hours, "cut_days": cut_days}
        how |= {name: values for name, values in given.items() if values}
        work = with_store(db, True, lambda store, report: other.sensitivity(store, ehr, ecg, **how, progress=report))
    carry_out("benchmark", as_json, work)


def _pair(text: str) -> tuple[str, str]:
    ecg, plus, ehr = text.partition("+")
    if not plus:
        raise InputMistake(f"--pair takes two encoders as ECG+EHR, however: {text!r}")
    return ecg, ehr


for verb in (cli_results.export, cli_results.report):
    app.command()(verb)


def main() -> None:
    """Run the command line; a user's mistake is one sentence on stderr and exit 2."""
    try:
        app(standalone_mode=True)
    except (InputMistake, ModelMistake) as mistake:
        print(f"lemof: {mistake}", file=sys.stderr)
        sys.exit(2)
