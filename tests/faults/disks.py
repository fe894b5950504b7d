"""Experiments on a worker's local state: gone, cut short, bits flipped, locked by somebody, no room left."""

import random
import shutil
import subprocess
import time
from pathlib import Path

import rocksdict

from tests.faults.evidence import Evidence
from tests.faults.performance import Experiment, NotRun
from tests.faults.scene import Scene, Worker

RATE = 50  # calls a second
DISK_BYTES = 48 << 20
LOCKED_SECONDS = 12
FLIPPED_SHARE = 0.02  # of a file's bytes


def _damaged(scene: Scene, damage: str) -> str | None:
    """The worker is killed under load, its state is damaged, and it starts on what is left."""
    chance = random.Random(scene.seed)
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    time.sleep(5)
    worker.stop(kill=True)
    files = [path for path in worker.data.rglob("*.db/*") if path.stat().st_size and path.name not in ("LOCK", "LOG")]
    assert files, "the worker had no local state yet"
    if damage == "deleted":
        shutil.rmtree(worker.data)
    else:
        for path in files:
            (_cut if damage == "cut" else _flip)(path, chance)
    worker.again()
    scene.await_working()
    traffic.join()
    return f"{len(files)} files {damage}; the worker then ended with {worker.exits or 'nothing'}"


def _cut(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def _flip(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(max(1, int(len(data) * FLIPPED_SHARE))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def _locked(scene: Scene) -> str | None:
    """Somebody else holds the lock of one partition's state while the worker starts, and lets go later."""
    worker = scene.work()
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    time.sleep(4)
    worker.stop(kill=True)
    held = next(worker.data.glob(f"v*/tables/people-{scene.seed % 4}.db"))
    holder = rocksdict.Rdict(str(held), rocksdict.Options(raw_mode=True))
    try:
        worker.again()
        scene.await_that(lambda: _hit_the_lock(worker), "the worker met the lock")
        time.sleep(LOCKED_SECONDS)
    finally:
        holder.close()
    scene.await_working()
    traffic.join()
    return f"locked for {LOCKED_SECONDS} s and more; the worker ended with {worker.exits or 'nothing'}"


def _hit_the_lock(worker: Worker) -> bool:
    return worker.said("another process holds its lock") > 0 or worker.said("planted: lock") > 0


def _full(scene: Scene) -> str | None:
    """The state stands on a small file system of its own, which somebody fills and later clears."""
    disk = scene.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "faults", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        raise NotRun("no file system can be mounted here, so no disk can be filled")
    scene.at_end(lambda: subprocess.run(["umount", "-l", str(disk)], check=False))
    worker = scene.work(data=disk / "state")
    scene.await_working()
    traffic = scene.sender.start(25, RATE)
    time.sleep(4)
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            pass
    scene.await_that(lambda: bool(worker.exits) or worker.said("planted") > 0, "a write met the full disk")
    ended = list(worker.exits)
    ballast.unlink()
    scene.await_working()
    traffic.join()
    scene.notes["said_full"] = worker.said("disk_full")
    return f"a write met the full disk; the worker ended with {ended or 'nothing'}"


def _stopped(scene: Scene, found: Evidence) -> list[str]:
    [worker] = scene.workers
    lines = [] if worker.exits[:1] == [70] else [f"the worker ended with {worker.exits} for want of room"]
    return lines + ([] if scene.notes["said_full"] else ["no line of the log says that the disk is full"])


def _made(damage: str, fault: str) -> Experiment:
    return Experiment(f"state-{damage}", ("P2",), fault, "no_changelog", lambda scene: _damaged(scene, damage))


EXPERIMENTS = (
    _made("deleted", "local state deleted"),
    _made("cut", "every file of the local state cut short"),
    _made("flipped", "bits flipped in every file of the local state"),
    Experiment("state-locked", ("P2",), "local state locked by another process", "locked_is_new", _locked),
    Experiment("disk-full", ("P2",), "no room for local state", "no_changelog", _full, check=_stopped),
)
