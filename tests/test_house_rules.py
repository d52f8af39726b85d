"""The project's own rules, checked by a machine: imports, file sizes, tests that can fail, README that is true."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("cohort_db", "lemof_core", "dashboard")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("test_*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_arrows_between_packages_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_need_no_torch() -> None:
    code = (
        "import sys, pkgutil, importlib, dashboard;"
        "names = [m.name for m in pkgutil.walk_packages(dashboard.__path__, 'dashboard.')];"
        "[importlib.import_module(name) for name in names if '.pages' not in name];"
        "import lemof_core.live;"
        "assert 'torch' not in sys.modules, 'torch is imported'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def n_lines(function: ast.FunctionDef) -> int:
    """Return the lines of the body, without signature and docstring: what has to be held in mind."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_one_idea_and_says_so(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "the first line says what comes in and what goes out"
    long = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and n_lines(node) > 60]
    assert not long, f"functions over 60 lines: {long}"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_test_can_fail(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert named, "a test file without a test"
    checks = ("Assert(", "raises", "assert_", "expect", "check_")
    idle = [node.name for node in named if not any(word in ast.dump(node) for word in checks)]
    assert not idle, f"tests that cannot fail: {idle}"


def test_no_work_is_left_behind_in_the_code() -> None:
    words = re.compile(
        r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b|except( Exception)?:\s*pass|https?://(?!physionet|doi|127\.0\.0\.1|localhost|www\.w3\.org)"
    )
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not left


def test_every_module_of_ours_that_is_imported_is_there() -> None:
    """mypy is told to overlook what it cannot find, and so would overlook a module that was moved."""
    own, gone = {"cohort_db", "dashboard", "lemof_core"}, []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in own:
                there = ROOT / node.module.replace(".", "/")
                if not there.with_suffix(".py").exists() and not (there / "__init__.py").exists():
                    gone.append(f"{path.relative_to(ROOT)}: {node.module}")
    assert not gone


def test_the_readmes_map_is_the_tree() -> None:
    block = re.search(r"<!-- map -->\n```\n(.*?)```", README, re.DOTALL)
    assert block
    named = {line.split()[0].rstrip("/") for line in block[1].splitlines() if line.strip() and not line.startswith(" ")}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    there = {name.split("/")[0] for name in tracked} - {".gitignore"}
    assert named == there, named ^ there


def test_every_command_of_the_command_line_is_in_the_readme_and_has_help() -> None:
    from typer.testing import CliRunner

    from lemof_core.jobs.cli import app

    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    assert {"demo", "synth", "ingest", "train", "score", "evaluate", "runs", "status", "export"} <= set(names)
    for name in names:
        assert f"lemof {name}" in README, name
        found = CliRunner().invoke(app, [name, "--help"])
        assert found.exit_code == 0 and "--json" in found.output


def readme_commands() -> list[str]:
    blocks = re.findall(r"<!-- test -->\n```bash\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.slow  # a minute; `demo_home` takes the same road in every run of the suite
def test_the_readmes_example_runs(tmp_path: Path) -> None:
    commands = readme_commands()
    assert len(commands) >= 4
    script = "set -e\n" + "\n".join(commands)
    lemof = f'lemof() {{ {shlex.quote(sys.executable)} -m lemof_core "$@"; }}\n'
    env = {
        "PYTHONPATH": str(ROOT),
        "LEMOF_HOME": str(tmp_path / "home"),
        "PATH": "/usr/bin:/bin",
        "OMP_NUM_THREADS": "2",
    }
    done = subprocess.run(
        ["bash", "-c", lemof + script], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=800, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "auroc" in done.stdout
