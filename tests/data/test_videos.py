"""Videos of every kind: what becomes a clip, what is known of it, and what is wrong with it."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo_core.clips import write_clip
from ganzoo_core.components import Adam, ClipShape, Parts, Phase, Stage, Trainer
from ganzoo_core.components.config import Config
from ganzoo_core.data import ClipData, inspect, open_clips, open_images
from ganzoo_core.data.moving import LENGTH, PLACES
from ganzoo_core.errors import DataError, UnsupportedError
from ganzoo_core.training.clips import ClipBatches, check_clips
from ganzoo_core.training.processes import Processes

SIZE = 8


def film(*shades: int, size: int = SIZE) -> np.ndarray[Any, Any]:
    """Return frames [T, size, size] of these shades."""
    return np.stack([np.full((size, size), shade, dtype=np.uint8) for shade in shades])


def strip(path: Path, *shades: int, upright: bool = False, size: int = SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(list(film(*shades, size=size)), 0 if upright else 1)).save(path)


def opened(source: str, root: Path, split: str = "train", **options: Any) -> ClipData:
    how = {"image_size": SIZE, "channels": 1, "root": root, "split": split} | options
    return open_clips(source, **how)  # type: ignore[arg-type]


def shades(data: ClipData) -> list[list[int]]:
    """Return the shade in the middle of each frame of each clip."""
    return [
        data.frames(np.array([clip]), np.arange(length)[None])[
            0, :, SIZE // 2, SIZE // 2, 0
        ].tolist()
        for clip, length in enumerate(data.lengths)
    ]


@pytest.mark.parametrize("upright", [False, True])
def test_strips_of_square_frames_either_way(tmp_path: Path, upright: bool) -> None:
    strip(tmp_path / "b.png", 1, 2, 3, upright=upright)
    strip(tmp_path / "a.png", 9, 8, upright=upright)
    data = opened("video:.", tmp_path)
    assert shades(data) == [[9, 8], [1, 2, 3]]
    info = inspect("video:.", root=tmp_path)
    assert (info.image_size, info.channels, info.clips, info.count) == (SIZE, 1, 2, None)


def test_an_animated_gif(tmp_path: Path) -> None:
    pictures = [Image.fromarray(frame) for frame in film(10, 200, 30)]
    pictures[0].save(tmp_path / "x.gif", save_all=True, append_images=pictures[1:], duration=50)
    assert shades(opened("video:.", tmp_path)) == [[10, 200, 30]]
    assert shades(opened("video:x.gif", tmp_path)) == [[10, 200, 30]]


def test_a_movie(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    frames = torch.from_numpy(film(0, 100, 200, size=64)[:, None]).float() / 127.5 - 1
    write_clip(tmp_path / "x.mp4", frames)
    (found,) = shades(opened("video:.", tmp_path, channels=3))
    assert found == pytest.approx([0, 100, 200], abs=4)


def test_a_movie_that_is_cut_off_is_named_in_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("av", reason="PyAV is not installed")
    write_clip(tmp_path / "x.mp4", torch.zeros(9, 3, 64, 64))
    whole = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(whole[: len(whole) // 3])
    for _ in range(2):  # the second time from what was remembered, or as the first
        with pytest.raises(DataError, match=r"x\.mp4.*(cannot be decoded|none of 1 videos)"):
            opened("video:.", tmp_path)
    with pytest.raises(DataError, match="none of 1 videos can be read"):
        inspect("video:.", root=tmp_path)


def test_a_movie_without_pyav_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.mp4").write_bytes(b"anything")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UnsupportedError, match=r"ganzoo-core\[video\]"):
        opened("video:.", tmp_path)


def test_folders_of_frames_in_the_order_of_their_numbers(
    tmp_path: Path, save: Callable[..., None]
) -> None:
    for number, shade in ((1, 10), (2, 20), (10, 100)):
        (tmp_path / "walk").mkdir(exist_ok=True)
        Image.fromarray(film(shade)[0]).save(tmp_path / "walk" / f"frame-{number}.png")
    save(film(5, 6), tmp_path / "run")
    assert shades(opened("video:.", tmp_path)) == [[5, 6], [10, 20, 100]]


def test_a_zip_with_classes_and_splits(tmp_path: Path) -> None:
    for name in ("train/cats/a", "train/dogs/b", "test/dogs/c"):
        strip(tmp_path / "films" / f"{name}.png", len(name), 1)
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for file in sorted((tmp_path / "films").rglob("*.png")):
            archive.write(file, file.relative_to(tmp_path / "films"))
    train = opened("video:films.zip", tmp_path)
    assert train.labels is not None and train.labels.tolist() == [0, 1]
    test = opened("video:films.zip", tmp_path, "test")
    assert test.labels is not None and test.labels.tolist() == [1]
    assert inspect("video:films.zip", root=tmp_path).classes == 2


def an_index(folder: Path) -> None:
    rows = ["file,person,action,caption"]
    for person in ("ann", "bob"):
        for number, action in enumerate(("run", "walk")):
            strip(folder / f"{person}_{action}.png", 10 * number, 10 * number + 1)
            rows.append(f"{person}_{action}.png,{person},{action},{person} does {action}")
    (folder / "index.csv").write_text("\n".join(rows))


def test_an_index_says_what_is_seen_and_which_clips_are_one(tmp_path: Path) -> None:
    an_index(tmp_path)
    apart = opened("video:.", tmp_path)
    assert (len(apart), apart.factor_names, apart.factor_sizes) == (4, ("person", "action"), (2, 2))
    joined = opened("video:.:person", tmp_path)
    assert shades(joined) == [[0, 1, 10, 11], [0, 1, 10, 11]]
    seen = joined.factors(np.array([0, 1]), np.array([[0, 3], [1, 2]]))
    assert seen.tolist() == [[[0, 0], [0, 1]], [[1, 0], [1, 1]]]
    assert inspect("video:.:person", root=tmp_path).clips == 2


def test_an_index_beside_the_archive(tmp_path: Path) -> None:
    an_index(tmp_path)
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for file in sorted(tmp_path.glob("*.png")):
            archive.write(file, file.name)
    assert len(opened("video:films.zip:action", tmp_path)) == 2


def test_an_unknown_column_is_answered_with_those_there_are(tmp_path: Path) -> None:
    an_index(tmp_path)
    with pytest.raises(DataError, match=r"no column 'who'.*\(person, action, caption\)"):
        opened("video:.:who", tmp_path)
    (tmp_path / "index.csv").unlink()
    with pytest.raises(DataError, match=r"there is no index\.csv that lists these clips"):
        opened("video:.:person", tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: Image.fromarray(film(1)[0]).save(f / "one" / "a.png"), "a single frame is no"),
        (lambda f: (f / "one" / "a.gif").write_bytes(b"GIF89a and no more"), "a.gif"),
        (lambda f: (f / "one" / "a.png").write_bytes(b""), "a.png"),
    ],
)
def test_what_is_no_video_is_named_in_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    (tmp_path / "one").mkdir()
    spoil(tmp_path)
    with pytest.raises(DataError, match=said) as error:
        opened("video:.", tmp_path)
    assert "\n" not in str(error.value)


def test_frames_of_mixed_sizes_are_no_clip(tmp_path: Path, save: Callable[..., None]) -> None:
    save(film(1, 2), tmp_path / "x")
    Image.fromarray(film(3, size=4)[0]).save(tmp_path / "x" / "003.png")
    with pytest.raises(DataError, match="mixed sizes, 4x4 and 8x8"):
        opened("video:.", tmp_path)


def test_clips_of_other_sizes_are_brought_to_one(tmp_path: Path) -> None:
    strip(tmp_path / "a.png", 1, 2)
    strip(tmp_path / "b.png", 3, 4, size=2 * SIZE)
    assert inspect("video:.", root=tmp_path).image_size is None
    assert shades(opened("video:.", tmp_path)) == [[1, 2], [3, 4]]


def test_a_broken_clip_among_many_is_left_out_and_named(tmp_path: Path) -> None:
    for number in range(12):
        strip(tmp_path / f"{number:02}.png", number, number)
    (tmp_path / "05.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"1 of 12 videos .* broken_share=0.084"):
        opened("video:.", tmp_path)
    for _ in range(2):
        data = opened("video:.", tmp_path, broken_share=0.1)
        assert [clip[0] for clip in shades(data)] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
        assert len(data.skipped) == 1 and "05.png" in data.skipped[0]


def test_the_same_frames_elsewhere_are_the_same_data_and_others_are_not(tmp_path: Path) -> None:
    for folder, last in (("a", 3), ("b", 3), ("c", 4)):
        strip(tmp_path / folder / "x.png", 1, 2)
        strip(tmp_path / folder / "y.png", 5, last)
    prints = [opened(f"video:{folder}", tmp_path).fingerprint for folder in "abc"]
    assert prints[0] == prints[1] != prints[2]


def test_where_a_clip_ends_is_part_of_the_data(tmp_path: Path) -> None:
    strip(tmp_path / "a" / "x.png", 1, 2, 3, 4)
    strip(tmp_path / "b" / "x.png", 1, 2)
    strip(tmp_path / "b" / "y.png", 3, 4)
    assert opened("video:a", tmp_path).fingerprint != opened("video:b", tmp_path).fingerprint


def test_the_frames_of_videos_are_images_too(tmp_path: Path) -> None:
    strip(tmp_path / "a.png", 1, 2)
    strip(tmp_path / "b.png", 3, 4, 5)
    images = open_images("video:.", image_size=SIZE, channels=1, root=tmp_path)
    assert images.images[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5]
    assert images.factors is None


@pytest.mark.parametrize("source", ["folder:.", "digits"])
def test_single_images_are_no_videos(tmp_path: Path, source: str) -> None:
    strip(tmp_path / "a.png", 1, 2)
    with pytest.raises(DataError, match="single images, and videos are needed"):
        opened(source, tmp_path)


# Archives.


@pytest.mark.parametrize("channels", [0, 1, 3])
def test_an_archive_of_clips(tmp_path: Path, channels: int) -> None:
    shape = (3, 4, SIZE, SIZE, *([channels] if channels else []))
    clips = np.arange(12, dtype=np.uint8).reshape(3, 4, *[1] * (len(shape) - 2)) * np.ones(
        shape, dtype=np.uint8
    )
    np.savez(tmp_path / "x.npz", clips=clips * 2, labels=[1, 0, 1], latents_classes=[[0], [1], [2]])
    data = opened("npz:x.npz", tmp_path)
    assert shades(data) == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18, 20, 22]]
    assert data.labels is not None and data.labels.tolist() == [1, 0, 1]
    assert data.factors(np.array([2]), np.array([[0, 3]])).tolist() == [[[2], [2]]]
    info = inspect("npz:x.npz", root=tmp_path)
    assert (info.clips, info.count, info.classes) == (3, 12, 2)


def test_an_archive_may_know_what_each_frame_shows(tmp_path: Path) -> None:
    factors = np.stack([np.tile([[0], [1]], (1, 3)), np.tile([0, 1, 2], (2, 1))], -1)
    np.savez(tmp_path / "x.npz", clips=np.zeros((2, 3, 4, 4), np.uint8), latents_classes=factors)
    data = opened("npz:x.npz", tmp_path)
    assert data.factors(np.array([1]), np.array([[0, 2]])).tolist() == [[[1, 0], [1, 2]]]


@pytest.mark.parametrize(
    ("clips", "said"),
    [
        (np.zeros((3, 1, 4, 4), np.uint8), "a single frame is no video"),
        (np.zeros((3, 2, 4, 4, 5), np.uint8), "no number of channels"),
        (np.asfortranarray(np.zeros((3, 2, 4, 4, 1), np.uint8)), "stored by columns"),
        (np.zeros((0, 2, 4, 4, 1), np.uint8), "is empty"),
        (np.zeros((3, 2, 4, 4, 1), np.int32), "must be uint8 or float"),
    ],
)
def test_archives_that_hold_no_clips_are_refused(
    tmp_path: Path, clips: np.ndarray[Any, Any], said: str
) -> None:
    np.savez(tmp_path / "x.npz", clips=clips)
    with pytest.raises(DataError, match=said):
        opened("npz:x.npz", tmp_path)


# Moving digits.


@pytest.fixture
def digits(tmp_path: Path, write_idx: Callable[..., Path]) -> Path:
    """Ten white squares as MNIST's files."""
    images = np.full((10, 28, 28), 255, dtype=np.uint8)
    for word in ("train", "t10k"):
        write_idx(images, tmp_path / "mnist" / f"{word}-images-idx3-ubyte.gz")
        write_idx(
            np.arange(10, dtype=np.uint8), tmp_path / "mnist" / f"{word}-labels-idx1-ubyte.gz"
        )
    return tmp_path


def test_one_digit_moves_straight_and_bounces_within_the_square(digits: Path) -> None:
    data = opened("moving-mnist:mnist:1", digits, image_size=64)
    assert (len(data), data.channels, data.factor_names) == (10, 1, ("digit", "x", "y"))
    assert data.lengths.tolist() == [LENGTH] * 10
    clips = np.arange(10)
    frames = data.frames(clips, np.tile(np.arange(LENGTH), (10, 1)))[..., 0]
    lefts, tops = (frames.any(axis).argmax(-1) for axis in (2, 3))
    for corners in (lefts, tops):
        # The whole digit is always to be seen, so that no corner is beyond 32.
        assert corners.min() >= 0 and corners.max() <= 32
        steps = np.abs(np.diff(corners.astype(int), axis=1))
        assert steps.max() <= 4
        # As fast throughout, but for the frame in which it turns.
        usual = np.median(steps, axis=1)
        assert ((steps == usual[:, None]) | (steps < usual[:, None])).all()
    assert (frames.any((2, 3))).all()
    seen = data.factors(clips, np.tile(np.arange(LENGTH), (10, 1)))
    np.testing.assert_array_equal(seen[..., 1], lefts * PLACES // 33)
    np.testing.assert_array_equal(seen[..., 2], tops * PLACES // 33)


def test_two_digits_are_red_and_green_and_one_hides_the_other(digits: Path) -> None:
    assert inspect("moving-mnist:mnist", root=digits).channels == 3
    data = opened("moving-mnist:mnist", digits, image_size=64, channels=3)
    frames = data.frames(np.arange(10), np.tile(np.arange(LENGTH), (10, 1)))
    assert not frames[..., 2].any() and frames[..., 0].any() and frames[..., 1].any()
    assert not (frames[..., 0] & frames[..., 1]).any()
    assert data.factor_names == ("digit-1", "x-1", "y-1", "digit-2", "x-2", "y-2")


def test_moving_digits_are_the_same_everywhere_and_others_in_the_test_split(digits: Path) -> None:
    train, again = (opened("moving-mnist:mnist:1", digits) for _ in range(2))
    test = opened("moving-mnist:mnist:1", digits, "test")
    chosen = np.arange(10), np.tile(np.arange(5), (10, 1))
    np.testing.assert_array_equal(train.frames(*chosen), again.frames(*chosen))
    # A frame does not depend on which others are asked for.
    np.testing.assert_array_equal(
        train.frames(chosen[0][3:4], np.array([[4]]))[0, 0], train.frames(*chosen)[3, 4]
    )
    assert (train.frames(*chosen) != test.frames(*chosen)).any()
    assert train.fingerprint == again.fingerprint != test.fingerprint


def test_moving_digits_of_no_number_or_as_images_are_refused(digits: Path) -> None:
    with pytest.raises(DataError, match="asks for 3 digits"):
        opened("moving-mnist:mnist:3", digits)
    with pytest.raises(DataError, match=r"makes videos and no single images; .* idx:mnist"):
        open_images("moving-mnist:mnist", image_size=64, channels=1, root=digits)
    with pytest.raises(DataError, match="lacks its path"):
        opened("moving-mnist:", digits)


# Batches.


def numbered_film(tmp_path: Path, lengths: tuple[int, ...]) -> ClipData:
    """Make clips in which the shade of a frame is 20 times its clip's number plus its own."""
    for clip, length in enumerate(lengths):
        strip(tmp_path / f"{clip}.png", *(20 * clip + time for time in range(length)))
    return opened("video:.", tmp_path)


def shown(batch: Any) -> np.ndarray[Any, Any]:
    pixels = (batch.clips[:, :, 0, 0, 0] * 127.5 + 127.5).round()
    values: np.ndarray[Any, Any] = pixels.numpy().astype(int)
    return values


def test_consecutive_frames_from_random_starts(tmp_path: Path) -> None:
    data = numbered_film(tmp_path, (6, 9, 5, 7))
    batches = ClipBatches(data, 4, 0, Processes("cpu"))
    starts = set()
    for position in range(0, 160, 4):
        batch = batches.draw(position, shape=ClipShape(5))
        values = shown(batch)
        assert batch.clips is not None and batch.clips.shape == (4, 5, 1, SIZE, SIZE)
        assert torch.equal(batch.images, batch.clips[:, 0])
        assert (np.diff(values, axis=1) == 1).all()
        clips, times = values // 20, values % 20
        assert sorted(clips[:, 0]) == [0, 1, 2, 3]  # an epoch shows each clip once
        assert (times[:, -1] < np.array([6, 9, 5, 7])[clips[:, 0]]).all()
        starts |= set(times[clips[:, 0] == 1, 0].tolist())
    assert starts == {0, 1, 2, 3, 4}


def test_frames_within_a_span_are_different_and_in_order(tmp_path: Path) -> None:
    data = numbered_film(tmp_path, (15, 3))
    batches = ClipBatches(data, 2, 0, Processes("cpu"))
    apart: dict[int, set[int]] = {0: set(), 1: set()}
    for position in range(0, 400, 2):
        values = shown(batches.draw(position, shape=ClipShape(2, span=6)))
        for first, last in values:
            apart[first // 20].add(int(last - first))
    # The short clip has a span of its own length.
    assert apart == {0: {1, 2, 3, 4, 5}, 1: {1, 2}}


def test_clips_follow_from_the_seed_and_the_position_alone(tmp_path: Path) -> None:
    data = numbered_film(tmp_path, (9, 9, 9, 9))
    shape = ClipShape(3, span=8)
    one, other, again = (ClipBatches(data, 2, seed, Processes("cpu")) for seed in (0, 1, 0))
    for position in (6, 0, 40):
        assert torch.equal(
            one.draw(position, 2, shape).images, again.draw(position, 2, shape).images
        )
    drawn = [
        [shown(batches.draw(position, 2, shape)).tolist() for position in range(0, 16, 2)]
        for batches in (one, other)
    ]
    assert drawn[0] != drawn[1]


def test_mirroring_turns_whole_clips(tmp_path: Path) -> None:
    frames = np.zeros((3, SIZE, SIZE), np.uint8)
    frames[:, :, 0] = 255
    np.savez(tmp_path / "x.npz", clips=np.tile(frames, (64, 1, 1, 1)))
    data = opened("npz:x.npz", tmp_path)
    batch = ClipBatches(data, 64, 0, Processes("cpu"), flip=True).draw(0, shape=ClipShape(3))
    assert batch.clips is not None
    left = batch.clips[..., 0, 0, 0] > 0
    assert (left.all(1) | ~left.any(1)).all()
    assert 16 < int(left[:, 0].sum()) < 48


def test_a_batch_of_more_clips_than_there_are(tmp_path: Path) -> None:
    data = numbered_film(tmp_path, (4, 4))
    with pytest.raises(DataError, match=r"larger than the 2 clips .* --batch-size 2 or less"):
        ClipBatches(data, 3, 0, Processes("cpu"))


class Watcher(Trainer):
    def stages(self) -> list[Stage]:
        phase = Phase("all", (), Adam())
        shapes = (None, ClipShape(2, span=50), ClipShape(5))
        return [Stage(f"stage {n}", [phase], clips=shape) for n, shape in enumerate(shapes)]


def test_clips_too_short_for_a_stage_are_refused_before_training(tmp_path: Path) -> None:
    trainer = Watcher(Config(), Parts({}))
    data = numbered_film(tmp_path, (6, 4, 3))
    said = "the stage 'stage 2' of watcher needs clips of 5 frames, and 2 of the 3 .* having 3"
    with pytest.raises(DataError, match=said):
        check_clips(trainer, data, "watcher")


@pytest.mark.parametrize(
    ("source", "clips", "frames", "factors"),
    [
        ("video:lpc-sprites/lpc_sprites.zip:character", 250, 72, "action"),
        ("video:weizmann-actions/weizmann_actions_64.zip", 36, 51, "action"),
        ("video:moving-shapes/moving_shapes_64.zip", 1500, 32, ""),
    ],
)
def test_real_videos(
    shared: Callable[[str], Path], source: str, clips: int, frames: int, factors: str
) -> None:
    root = shared(source.split(":")[1].split("/")[0]).parent
    info = inspect(source, root=root)
    assert (info.image_size, info.channels, info.clips) == (64, 3, clips)
    data = opened(source, root, image_size=16, channels=3)
    assert (len(data), int(data.lengths.min())) == (clips, frames)
    assert not factors or factors in data.factor_names


def test_what_this_version_of_moving_digits_draws_is_known() -> None:
    """Paths that change fail here until the drawing's version is raised, and these below it."""
    from ganzoo_core.data import moving

    paths = moving._paths(7, 2, 100)
    its = (paths.chosen.tolist(), paths.starts.tolist(), paths.speeds.tolist(), paths.front)
    assert moving.DRAWING == 1
    assert its == ([43, 72], [[2, 8], [13, 13]], [[2, -3], [-4, 0]], 0)


def test_moving_digits_of_another_version_are_other_data(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganzoo_core.data import moving

    before = opened("moving-mnist:mnist:1", digits).fingerprint
    monkeypatch.setattr(moving, "DRAWING", moving.DRAWING + 1)
    assert opened("moving-mnist:mnist:1", digits).fingerprint != before
