"""Local state that was damaged is begun anew; what is only out of reach for now is left alone."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rocksdict

from agents.reliable.disk import ASIDE, MARK, hindrance, open_sound

KEYS = 2_000


def opening(path: Path) -> Callable[[], Any]:
    return lambda: rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with records in files and in the write-ahead log."""
    made = tmp_path / "people-0.db"
    database = opening(made)()
    for number in range(KEYS):
        database.put(b"%d" % number, b"x" * 100)
    database.flush()
    database.put(b"late", b"y")
    database.close()
    return made


def read_all(path: Path) -> dict[bytes, bytes]:
    """As a worker reads its state, which starts again where reading fails."""
    for _ in range(3):
        database = open_sound(path, opening(path))
        try:
            return dict(database.items())
        except Exception:
            assert (path / MARK).exists()
        finally:
            database.close()
    raise AssertionError("it fails at every start")


def test_sound_state_is_opened_as_it_is(path: Path) -> None:
    assert len(read_all(path)) == KEYS + 1
    assert not path.with_name(path.name + ASIDE).exists()


@pytest.mark.parametrize("kind", ["*.sst", "MANIFEST-*", "CURRENT", "OPTIONS-*", "rocksdict-config.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_whatever_file_is_damaged_a_start_succeeds(path: Path, kind: str, damage: str) -> None:
    chance = random.Random(f"{kind}/{damage}")
    for file in path.glob(kind):
        data = bytearray(file.read_bytes())
        if damage == "gone":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(data[: len(data) // 2])
        else:
            for _ in range(max(1, len(data) // 50)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            file.write_bytes(data)
    kept = read_all(path)
    assert kept == {} or kept.keys() >= {b"%d" % number for number in range(KEYS)}
    assert kept == {} or not path.with_name(path.name + ASIDE).exists()


def test_what_is_locked_is_left_alone(path: Path) -> None:
    holder = opening(path)()
    with pytest.raises(Exception, match=r"(?i)lock") as raised:
        open_sound(path, opening(path))
    holder.close()
    assert hindrance(raised.value) == "another process holds its lock"
    assert len(read_all(path)) == KEYS + 1


def test_only_the_newest_damaged_state_is_kept(path: Path) -> None:
    for _ in range(3):
        (path / MARK).touch()
        open_sound(path, opening(path)).close()
    assert sorted(found.name for found in path.parent.iterdir()) == [path.name, path.name + ASIDE]
