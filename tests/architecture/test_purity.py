"""The thinking is pure: by what it imports, by what it calls, and in a run from which the world was taken away."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import purity
from tests.architecture.rooms import PURE_ROOMS, ROOT, place, sources

SEALED_RUN = Path(__file__).with_name("sealed_run.py")
SECONDS_MAX = 120  # a run takes one or two; a machine that is shared may be slow


def sealed(*arguments: str, seed: str = "0", zone: str = "UTC") -> "subprocess.CompletedProcess[str]":
    environment = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, str(SEALED_RUN), *arguments],
        env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip


def test_contracts_and_thinking_import_and_call_nothing_impure() -> None:
    files = sources(*PURE_ROOMS)
    assert len(files) > 20, "the sources were not found"
    assert [breach for path in files for breach in purity.breaches(path.read_text(), place=place(path))] == []


def test_every_exception_is_still_needed() -> None:
    for name, (extra, _) in purity.ALLOWED.items():
        imported = {line.split()[1].partition(".")[0] for line in (ROOT / name).read_text().splitlines()
                    if line.startswith(("import ", "from "))}  # fmt: skip
        assert extra <= imported, f"{name} needs less than it may"


@pytest.mark.parametrize(
    "planted",
    [
        "import time",
        "import socket",
        "import os",
        "import random",
        "import asyncio",
        "import faust",
        "import subprocess",
        "from pathlib import Path",
        "from uuid import uuid4",
        "import httpx",
        "def f():\n    import os",
        "open('x')",
        "print('x')",
        "hash('x')",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import date\ndate.today()",
        "from datetime import datetime\ndatetime.fromtimestamp(0)",
        "import importlib",
        "__import__('os')",
        "policy.path.read_text()",
    ],
)
def test_planted_impurity_is_found(planted: str) -> None:
    assert purity.breaches(planted, place="streams/planted.py")


def test_only_the_named_modules_may_touch_files() -> None:
    reading = "from pathlib import Path\nPath('x').read_text()"
    assert purity.breaches(reading, place="contracts/policy.py") == []
    assert len(purity.breaches(reading, place="contracts/fields.py")) == 2
    assert purity.breaches("from datetime import datetime\ndatetime.now()", place="contracts/policy.py")


def test_thinking_runs_with_the_world_taken_away() -> None:
    run = sealed()
    assert run.returncode == 0, run.stderr
    assert "activated" in run.stdout and "withdrawn" in run.stdout, "the run is void: nobody was in a moment"


def test_thinking_does_not_depend_on_hash_seed_or_time_zone() -> None:
    assert sealed().stdout == sealed(seed="4711", zone="Asia/Kathmandu").stdout


@pytest.mark.parametrize(
    "planted",
    ["clock", "wall", "file", "file-os", "socket", "environment", "getenv", "random", "uuid", "process", "terminal"],
)
def test_sealed_run_catches(planted: str) -> None:
    run = sealed(planted)
    assert run.returncode != 0
    assert "Sealed" in run.stderr, run.stderr
