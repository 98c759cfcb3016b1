"""The rules of the house: layout, types and style, held by their tools."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("stream", "model", "training")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@pytest.mark.parametrize(
    "command",
    [
        ["lint-imports"],
        [sys.executable, "-m", "tools.typecheck"],
        [sys.executable, "-m", "ruff", "check", "."],
        [sys.executable, "-m", "ruff", "format", "--check", "."],
    ],
    ids=["import contracts", "types", "lint", "format"],
)
def test_the_tools_find_nothing(command: list[str]) -> None:
    if command[0] == "lint-imports":
        command = [str(Path(sys.executable).with_name("lint-imports"))]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_everything_public_has_a_docstring() -> None:
    """A census, whatever the configuration of the linter leaves out."""
    missing, n_found = [], 0
    for path in (p for room in ROOMS for p in (ROOT / room).rglob("*.py")):
        scopes: list[tuple[str, ast.Module | ast.ClassDef]] = [
            ("", ast.parse(path.read_text("utf-8")))
        ]
        while scopes:
            prefix, scope = scopes.pop()
            for node in scope.body:
                if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
                    continue
                n_found += 1
                if not ast.get_docstring(node):
                    missing.append(f"{path.relative_to(ROOT)}: {prefix}{node.name}")
                if isinstance(node, ast.ClassDef):
                    scopes.append((f"{node.name}.", node))
    assert n_found > 500
    assert not missing


def said_by(code: str) -> str:
    """What a new Python process prints, which must end well."""
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.parametrize(
    "module",
    [
        "mmgat.stream.commands.stream",
        "mmgat.stream.dashboard.__main__",
        "mmgat.stream.commands.listen",
        "mmgat.stream.commands.tag",
        "mmgat.stream.commands.find",
        "mmgat.stream.commands.annotate",
    ],
)
def test_commands_start_without_torch_portaudio_or_textual(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'sounddevice', 'soundfile', 'textual') if m in sys.modules])"
    )
    assert said_by(code).strip() == "[]"


def test_the_dashboard_never_imports_torch_or_portaudio() -> None:
    code = (
        "import sys, mmgat.stream.dashboard.app, mmgat.stream.bus.subscriber; "
        "print([m for m in ('torch', 'sounddevice', 'soundfile', 'soxr') if m in sys.modules])"
    )
    assert said_by(code).strip() == "[]"


def test_live_recognition_runs_where_there_is_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from mmgat.stream.commands.stream import main; "
        "main(['--demo', '--speed', 'max', '--no-dashboard', '--publish', 'off', '--jsonl', '-'])"
    )
    assert '"event":"on"' in said_by(code)
