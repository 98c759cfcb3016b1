"""The short form: a few mutants of a few modules, those that have changed if git knows any.

What it asks are the tests near the module, not all of its room. So a survivor here may be noticed
by others, and so small a sample leaves a wide interval: it prints what survives, and fails only where
even the upper end of that interval is below ``AT_LEAST``, as where a module has next to no tests.
Modules and mutants are drawn with a fixed seed, so an unchanged tree gives the same answer again.
"""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import Final

from tools.mutation import layout
from tools.namespace import ROOT

N_MUTANTS: Final = 16
AT_LEAST: Final = 0.6
"""Of tests near a module about three in four were noticed; five of sixteen are too few."""

N_MODULES: Final = 2
BASES: Final = ("origin/HEAD", "origin/main", "origin/master")


def base() -> str:
    """The commit that the work at hand began with, or "".

    That is where it left the main branch; on that branch itself, the commit before.
    """
    head = _git("rev-parse", "HEAD")
    for branch in BASES:
        if (common := _git("merge-base", "HEAD", branch)) and common != head:
            return common
    return _git("rev-parse", "--verify", "HEAD~1")


def some_modules(seed: int) -> tuple[list[str], str]:
    """At most ``N_MODULES`` modules of the rooms, and in words why these."""
    every, since = layout.modules_of(None), base()
    changed = layout.modules_of(since) if since else []
    chosen = random.Random(seed)
    modules = changed or [module for module in every if tests_near(module) != [_room(module)]]
    modules = sorted(chosen.sample(modules, min(N_MODULES, len(modules))))
    if changed:
        return modules, f"of {len(changed)} that differ from {since[:9]}"
    return modules, f"of all {len(every)}, for none has changed: seed {seed}"


def tests_near(module: str) -> list[str]:
    """The files of the room's tests that import this module, or are named after it.

    Where that is one file at most, those too that import a module that imports it; where there is
    none, all of the room.
    """
    folder = ROOT / _room(module)
    files = sorted(folder.rglob("test_*.py")) if folder.is_dir() else [folder]
    files = [file for file in files if not any(map(file.match, layout.SLOW_TESTS))]
    own = f"test_{Path(module).name}"
    found = [file for file in files if file.name == own or _imports(file, {_dotted(module)})]
    if len(found) < 2:
        every = layout.modules_of(None)
        near = {_dotted(other) for other in every if _imports(ROOT / other, {_dotted(module)})}
        found += [file for file in files if _imports(file, near) and file not in found]
    return [str(file.relative_to(ROOT)) for file in found] or [_room(module)]


def _room(module: str) -> str:
    """The folder or the file of its tests."""
    return layout.tests_of([module])[0]


def _dotted(module: str) -> str:
    return "mmgat." + module.removesuffix(".py").replace("/", ".")


def _imports(file: Path, names: set[str]) -> bool:
    return not names.isdisjoint(re.findall(r"^\s*(?:from|import) (\S+)", file.read_text(), re.M))


def _git(*command: str) -> str:
    """What git says; "" where it fails, or is not there."""
    try:
        done = subprocess.run(
            ["git", *command], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
