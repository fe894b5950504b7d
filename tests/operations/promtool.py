"""Prometheus's own checker of rules: the one on the path, else Debian's package unpacked beside Kafka's jars, else none."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class PromtoolMissing(Exception):
    """It cannot be had here; the message says what to install."""


def promtool() -> Path:
    """PromtoolMissing where it is neither installed nor to be had from Debian's archive."""
    found = shutil.which("promtool")
    if found is not None:
        return Path(found)
    cache = Path(os.environ.get("CONCIERGE_CACHE") or Path.home() / ".cache" / "concierge") / "promtool"
    if not cache.exists():
        _fetch(cache)
    return cache


def run(tool: Path, *words: str) -> str:
    """What is wrong; empty where nothing is."""
    done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=120)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def _fetch(cache: Path) -> None:
    missing = PromtoolMissing("promtool is not here and Debian's package `prometheus` cannot be fetched; install it")
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise missing
    with tempfile.TemporaryDirectory() as folder:
        packages = _downloaded(Path(folder))
        if not packages:  # a fresh machine knows no packages yet
            subprocess.run(["apt-get", "-qq", "update"], capture_output=True, timeout=300)
            packages = _downloaded(Path(folder))
        if not packages:
            raise missing
        subprocess.run(["dpkg-deb", "-x", packages[0], folder], check=True, capture_output=True)
        cache.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(Path(folder) / "usr/bin/promtool", cache)


def _downloaded(folder: Path) -> list[Path]:
    subprocess.run(["apt-get", "download", "prometheus"], cwd=folder, capture_output=True, timeout=300)
    return list(folder.glob("prometheus_*.deb"))
