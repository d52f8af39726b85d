"""The command line: exit codes, one JSON object, and one sentence for every mistake of a user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lemof_core.config import PRESETS
from lemof_core.jobs.cli import main

ROOT = Path(__file__).resolve().parents[1]


def lemof(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    env = {
        "PYTHONPATH": str(ROOT),
        "LEMOF_HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": "2",
        "COLUMNS": "200",
    }
    command = [sys.executable, "-m", "lemof_core", *arguments]
    return subprocess.run(command, env=env, cwd=home, capture_output=True, text=True, timeout=240, check=False)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["status"], "lemof demo"),
        (["score"], "there is no store"),
        (["status", "--db", "mysql://nowhere/x"], "mysql"),
        (["status", "--db", "sqlite:////nowhere/at/all.db"], "there is no store"),
        (["synth", "--out", "x", "--stays", "0"], "0"),
        (["synth", "--out", "x", "--stays", "5", "--ecg-missing", "3"], "3"),
        (["ingest", "--ehr", "empty"], "empty"),
        (["ingest", "--ehr", "no-such-folder"], "no-such-folder"),
        (["ingest", "--ehr", "empty", "--cut-days", "1"], "24 h beyond"),
        (["settings", "--fusion", "magic"], "hyperfusion"),
        (["settings", "--fusion", "mmtm"], "--arm finetuned"),
        (["benchmark", "table2", "--t0-hours", "3"], "table2 does not read --t0-hours"),
        (["benchmark", "leak", "--fitting", "naive"], "leak does not read --fitting"),
        (["train", "--set", "cross.depth=3"], "cross.n_heads"),
        (["train", "--set", "cross.d=-3"], "cross.d: Input should be greater"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lemof", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    assert exit_.value.code == 2
    assert sentence in told.err and "Traceback" not in told.err and told.out == ""
    assert len([line for line in told.err.splitlines() if line.startswith("lemof:")]) == 1


def test_a_mistake_ends_the_program_itself_in_the_same_way(tmp_path: Path) -> None:
    done = lemof("score", home=tmp_path)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if "there is no store" in line]


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (["train", "--preset", "best"], "robust"),
        (["train", "--fitting", "best"], "holdout"),
        (["train", "--arm", "both"], "finetuned"),
        (["evaluate", "--split", "dev"], "meta"),
        (["ingest", "--ehr", ".", "--ecg-link", "best"], "first"),
        (["synth", "--out", "x", "--stays", "5", "--planted", "deep"], "high"),
        (["train", "--seed", "-1"], "than or equal to 0"),
        (["ingest", "--ehr", ".", "--seed", "-1"], "than or equal to 0"),
        (["benchmark", "table1", "--seed", "0", "--seed", "5000000000"], "2147483647"),
    ],
)
def test_choices_that_there_are_not_name_those_there_are(
    arguments: list[str], known: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["lemof", *arguments])
    with pytest.raises(SystemExit) as exit_:
        main()
    told = capsys.readouterr()
    assert exit_.value.code == 2 and told.out == "" and known in told.err


def test_what_can_be_set_is_listed_with_the_values_of_a_preset(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = []
    for name in PRESETS:
        monkeypatch.setattr(sys, "argv", ["lemof", "settings", "--preset", name, "--json"])
        with pytest.raises(SystemExit) as exit_:
            main()
        assert exit_.value.code == 0
        listed.append(json.loads(capsys.readouterr().out))
    assert [one["cross.n_heads"] for one in listed] == [4, 1]
    assert listed[0].keys() - listed[1].keys() == {"exchange"}, "paper has no teacher to ask"


@pytest.mark.slow  # as long as the README's example; here every step prints JSON and nothing else
def test_the_whole_road_with_json_and_nothing_else_on_stdout(tmp_path: Path) -> None:
    steps = [
        ["synth", "--out", "raw", "--stays", "60", "--seed", "3"],
        ["ingest", "--ehr", "raw", "--ecg", "raw/ecg"],
        ["status"],
    ]
    found = {}
    for step in steps:
        done = lemof(*step, "--json", home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1
        found[step[0]] = json.loads(done.stdout)
    assert found["ingest"]["n_samples"] == 60
    assert found["status"]["next"] == "lemof train"
    again = json.loads(lemof(*steps[1], "--json", home=tmp_path).stdout)
    assert again["added"] == {} and again["ecgs_prepared"] == 0
    unknown = lemof("train", "--ecg-encoder", "transformer", home=tmp_path)
    assert unknown.returncode == 2 and "resnet" in unknown.stderr
    no_run = lemof("score", home=tmp_path)
    assert no_run.returncode == 2 and "lemof train" in no_run.stderr
