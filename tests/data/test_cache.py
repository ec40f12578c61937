"""The cache of decoded images: found again, shared, rebuilt, and never half-written."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganzoo_core.data import ImageData, open_images
from ganzoo_core.errors import DataError

Save = Callable[..., None]


@pytest.fixture
def zoo(tmp_path: Path, pictures: Any, save: Save) -> Path:
    save(pictures[:5], tmp_path / "zoo" / "cat")
    save(pictures[5:], tmp_path / "zoo" / "dog")
    return tmp_path / "zoo"


def opened(path: Path, **options: Any) -> tuple[ImageData, list[tuple[int, int]]]:
    """Open a folder and say what was reported while decoding."""
    calls: list[tuple[int, int]] = []
    data = open_images(
        f"folder:{path}",
        **{"image_size": 16, "channels": 3, **options},
        progress=lambda done, of: calls.append((done, of)),
    )
    return data, calls


def entries(cache: Path) -> list[Path]:
    return [path for path in cache.iterdir() if path.name != "index"]


def run(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_progress_is_reported_while_decoding(zoo: Path) -> None:
    assert opened(zoo)[1] == [(number, 12) for number in range(1, 13)]


def test_a_second_start_decodes_nothing(zoo: Path, pictures: Any) -> None:
    first, _ = opened(zoo)
    second, calls = opened(zoo)
    assert calls == []
    np.testing.assert_array_equal(second.images, pictures)
    assert second.fingerprint == first.fingerprint
    assert second.labels is not None
    assert first.labels is not None
    assert second.labels.tolist() == first.labels.tolist()
    assert second.class_names == first.class_names


def test_images_are_mapped_and_cannot_be_changed(zoo: Path) -> None:
    data, _ = opened(zoo)
    assert isinstance(data.images, np.memmap)
    assert data.images.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        data.images[0] = 0
    assert data.labels is not None
    with pytest.raises(ValueError, match="read-only"):
        data.labels[0] = 0


def test_a_copy_elsewhere_has_the_same_fingerprint_and_shares_the_entry(
    zoo: Path, tmp_path: Path, cache: Path
) -> None:
    shutil.copytree(zoo, tmp_path / "copy")
    first, _ = opened(zoo)
    second, _ = opened(tmp_path / "copy")
    assert second.fingerprint == first.fingerprint
    assert first.fingerprint.startswith("sha256:")
    assert len(entries(cache)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda zoo: Image.new("RGB", (16, 16)).save(zoo / "cat" / "000.png"),
        lambda zoo: Image.new("RGB", (16, 16)).save(zoo / "cat" / "new.png"),
        lambda zoo: (zoo / "cat" / "000.png").unlink(),
        lambda zoo: (zoo / "cat").rename(zoo / "bat"),
        lambda zoo: (zoo / "cat" / "004.png").rename(zoo / "dog" / "-.png"),
    ],
    ids=["changed image", "added image", "removed image", "renamed class", "moved image"],
)
def test_changed_content_has_another_fingerprint(zoo: Path, change: Callable[[Path], Any]) -> None:
    before, _ = opened(zoo)
    change(zoo)
    after, calls = opened(zoo)
    assert after.fingerprint != before.fingerprint
    assert calls


def test_sizes_and_channels_have_entries_of_their_own(zoo: Path) -> None:
    fingerprints = {
        opened(zoo, image_size=size, channels=channels)[0].fingerprint
        for size in (8, 16)
        for channels in (1, 3)
    }
    assert len(fingerprints) == 4


def cut(entry: Path) -> None:
    path = entry / "images.npy"
    os.truncate(path, path.stat().st_size - 1)


def lengthen(entry: Path) -> None:
    with (entry / "images.npy").open("ab") as file:
        file.write(b"\0")


def spoil_header(entry: Path) -> None:
    with (entry / "images.npy").open("r+b") as file:
        file.write(b"\0" * 40)


def change_count(entry: Path) -> None:
    about = entry / "about.json"
    about.write_text(about.read_text().replace('"count": 12', '"count": 11'))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        lengthen,
        spoil_header,
        change_count,
        lambda entry: (entry / "images.npy").write_bytes(b""),
        lambda entry: (entry / "images.npy").unlink(),
        lambda entry: (entry / "labels.npy").unlink(),
        lambda entry: np.save(entry / "labels.npy", np.zeros(3)),
        lambda entry: np.save(entry / "images.npy", np.zeros((12, 16, 16, 3))),
        lambda entry: (entry / "about.json").write_text("{"),
        lambda entry: (entry / "about.json").write_text("[]"),
        lambda entry: (entry / "about.json").unlink(),
        shutil.rmtree,
    ],
)
def test_a_damaged_entry_is_rebuilt(
    zoo: Path, cache: Path, pictures: Any, damage: Callable[[Path], Any]
) -> None:
    before = opened(zoo)[0].fingerprint
    (entry,) = entries(cache)
    damage(entry)
    after, calls = opened(zoo)
    assert calls
    assert after.fingerprint == before
    np.testing.assert_array_equal(after.images, pictures)
    assert opened(zoo)[1] == []
    assert entries(cache) == [entry]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"fingerprint": 3}', "\0"])
def test_a_damaged_record_of_what_was_decoded_is_replaced(
    zoo: Path, cache: Path, content: str
) -> None:
    opened(zoo)
    (record,) = (cache / "index").iterdir()
    record.write_text(content)
    assert opened(zoo)[1]
    assert opened(zoo)[1] == []


TOGETHER = """
import sys, time
from pathlib import Path
from ganzoo_core.data import open_images

source, meeting, me, other = sys.argv[1:]

def meet(done, of):
    if done == of // 2:
        Path(meeting, me).touch()
        for _ in range(3000):
            if Path(meeting, other).exists():
                return
            time.sleep(0.02)
        sys.exit("the other process did not come")

data = open_images(source, image_size=16, channels=3, progress=meet)
print(data.fingerprint, int(data.images.astype(int).sum()), data.labels.tolist())
"""


def test_two_processes_that_decode_at_once_agree(
    zoo: Path, tmp_path: Path, cache: Path, pictures: Any
) -> None:
    both = [run(TOGETHER, f"folder:{zoo}", tmp_path, *names) for names in (("a", "b"), ("b", "a"))]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0]
    assert f" {int(pictures.astype(int).sum())} " in answers[0][0]
    assert len(entries(cache)) == 1, "one entry, and nothing temporary beside it"
    data, calls = opened(zoo)
    assert calls == []
    assert data.fingerprint in answers[0][0]


KILLED = """
import os, signal, sys
from ganzoo_core.data import open_images
open_images(sys.argv[1], image_size=16, channels=3,
            progress=lambda done, of: done == 6 and os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_killed_process_leaves_nothing_that_counts(zoo: Path, cache: Path, pictures: Any) -> None:
    process = run(KILLED, f"folder:{zoo}")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    (left,) = entries(cache)
    data, calls = opened(zoo)
    assert len(calls) == 12
    np.testing.assert_array_equal(data.images, pictures)
    assert left.exists(), "it might still be written to"
    for path in (left, *left.iterdir()):
        os.utime(path, (0, 0))
    opened(zoo, image_size=8)
    assert not left.exists(), "what nobody has touched for a day is removed"


def test_stopping_in_the_middle_leaves_nothing(zoo: Path, cache: Path) -> None:
    def stop(done: int, of: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_images(f"folder:{zoo}", image_size=16, channels=3, progress=stop)
    assert list(cache.iterdir()) == []


FULL = """
import resource, sys
from ganzoo_core.data import open_images
from ganzoo_core.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    open_images(sys.argv[1], image_size=64, channels=3)
except DataError as error:
    print(error)
"""


def test_a_disk_that_fills_up_is_one_sentence(zoo: Path, cache: Path) -> None:
    process = run(FULL, f"folder:{zoo}")
    answer, trouble = process.communicate(timeout=120)
    assert process.returncode == 0, trouble
    (line,) = answer.splitlines()
    assert f"cannot be written to {cache}" in line
    assert "GANZOO_CACHE" in line
    assert list(cache.iterdir()) == [], "nothing is left half-written"


def test_a_cache_that_cannot_be_written_is_named(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GANZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be written to .*file/data .*set GANZOO_CACHE"):
        opened(zoo)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_cache_still_serves_what_it_has(zoo: Path, cache: Path) -> None:
    opened(zoo)
    cache.chmod(0o500)
    try:
        assert opened(zoo)[1] == []
        with pytest.raises(DataError, match="GANZOO_CACHE"):
            opened(zoo, image_size=8)
    finally:
        cache.chmod(0o700)


@pytest.mark.parametrize(
    ("variable", "below"), [("XDG_CACHE_HOME", "ganzoo/data"), ("HOME", ".cache/ganzoo/data")]
)
def test_without_a_folder_of_its_own_the_users_cache_is_used(
    zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    for name in ("GANZOO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "user"))
    opened(zoo)
    assert len(entries(tmp_path / "user" / below)) == 1


MEASURED = """
import resource, sys
from ganzoo_core.data import inspect, open_images
inspect(sys.argv[1])
open_images(sys.argv[1], image_size=8, channels=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = open_images(sys.argv[1], image_size=112, channels=3)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024, data.images.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory as Linux counts it")
def test_memory_does_not_grow_with_the_number_of_images(
    tmp_path: Path, write_idx: Callable[..., Path]
) -> None:
    path = write_idx(np.zeros((6000, 16, 16), dtype=np.uint8), tmp_path / "mine.idx")
    process = run(MEASURED, f"idx:{path}")
    answer, trouble = process.communicate(timeout=120)
    assert process.returncode == 0, trouble
    grown, decoded = map(int, answer.split())
    assert decoded > 200_000_000
    assert grown < decoded / 4


def test_the_global_random_state_is_left_alone(zoo: Path) -> None:
    before = np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    with contextlib.suppress(DataError):
        opened(zoo)
    assert np.random.get_state()[1].tobytes() == before  # type: ignore[union-attr]
