"""Rooms import in one direction only, and importing any module does no I/O and reads no environment."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.rooms import ROOMS, ROOT, module_name, sources

IMPORT_ALL = Path(__file__).with_name("import_all.py")
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")
SECONDS_MAX = 180


def run(command: list[str], cwd: Path, *, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, ROOT))))}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )


def import_all(folder: Path, modules: list[str]) -> "subprocess.CompletedProcess[str]":
    ours = os.pathsep.join([*(str(ROOT / room) for room in ROOMS), str(folder)])
    return run([sys.executable, "-B", str(IMPORT_ALL), ours, *modules], folder, path=folder)


def test_importing_every_module_does_no_io_and_reads_no_environment(tmp_path: Path) -> None:
    modules = [module_name(path) for path in sources(*ROOMS)]
    assert len(modules) > 50, "the sources were not found"
    done = import_all(tmp_path, modules)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(modules)} modules\n"


@pytest.mark.parametrize(
    "planted",
    [
        "import os; os.environ.get('HOME')",
        "import os; os.getenv('HOME')",
        "from agents.settings import read_settings; import os; read_settings(os.environ)",
        "open(__file__)",
        "from pathlib import Path; Path('made').write_text('x')",
        "from pathlib import Path; from contracts.policy import load; load(Path(__file__))",
        "import socket; socket.socket()",
        "import socket; socket.create_connection(('127.0.0.1', 9))",
        "import subprocess; subprocess.run(['true'])",
        "import httpx; httpx.Client()",
    ],
)
def test_planted_reach_while_importing_is_caught(tmp_path: Path, planted: str) -> None:
    (tmp_path / "planted.py").write_text(planted + "\n")
    done = import_all(tmp_path, ["planted"])
    assert done.returncode != 0
    assert "Reached" in done.stderr, done.stderr


def test_rooms_point_in_one_direction() -> None:
    done = run([str(LINT_IMPORTS), "--no-cache"], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


PLANTED = [
    ("contracts", "streams", "import streams"),
    ("streams", "agents", "import agents"),
    ("streams", "backtests", "import backtests"),
    ("agents", "rehearsal", "import rehearsal"),
    ("agents", "backtests", "import backtests"),
    ("agents", "console", "def late():\n    import console"),
    ("backtests", "agents", "import agents"),
    ("backtests", "rehearsal", "import rehearsal"),
    ("rehearsal", "console", "import console"),
    ("streams", "httpx", "import httpx"),
    ("contracts", "faust", "import faust"),
    ("backtests", "httpx", "import httpx"),
]


def test_planted_imports_against_the_direction_are_caught(tmp_path: Path) -> None:
    for name in ROOMS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    assert lint_copy(tmp_path).returncode == 0, "the empty rooms must pass, or the planted ones show nothing"
    for room, target, planted in PLANTED:
        (tmp_path / room / f"reaches_{target}.py").write_text(planted + "\n")
    done = lint_copy(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    missed = [
        f"{room} -> {target}"
        for room, target, _ in PLANTED
        if f"{room}.reaches_{target} -> {target}" not in done.stdout
    ]
    assert missed == []


def lint_copy(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Our contracts, word for word, over the rooms in another folder."""
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache"], cwd=folder, env=environment | {"PYTHONPATH": str(folder)},
        capture_output=True, text=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip


def test_direction_of_imports_covers_every_room() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(config["root_packages"]) == set(ROOMS)
