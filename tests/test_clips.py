import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from ganzoo_core.clips import write_clip
from ganzoo_core.errors import UnsupportedError


def moving_bar(count: int, channels: int, height: int, width: int) -> torch.Tensor:
    frames = torch.full((count, channels, height, width), -1.0)
    for number in range(count):
        frames[number, :, :, number] = 1.0
    return frames


@pytest.mark.parametrize(("height", "width"), [(31, 33), (64, 64), (300, 301)])
def test_an_mp4_shows_every_frame_at_whole_multiples(
    tmp_path: Path, height: int, width: int
) -> None:
    write_clip(tmp_path / "clip.mp4", moving_bar(5, 3, height, width), frames_per_second=10)
    with av.open(str(tmp_path / "clip.mp4")) as file:
        assert file.streams.video[0].average_rate == 10
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(video=0)]
    times = frames[0].shape[0] // height
    assert frames[0].shape == (height * times, width * times)
    assert min(frames[0].shape) >= 256
    seen = [int(frame.mean(axis=0).argmax()) // times for frame in frames]
    assert seen == [0, 1, 2, 3, 4]


def test_a_gif_has_the_frames_as_they_are(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.gif", moving_bar(4, 1, 8, 8))
    with Image.open(tmp_path / "clip.gif") as clip:
        assert (clip.n_frames, clip.size) == (4, (8, 8))
        clip.seek(2)
        assert np.asarray(clip.convert("L"))[0].argmax() == 2


def test_another_suffix_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"written as \.gif or \.mp4"):
        write_clip(tmp_path / "clip.avi", moving_bar(2, 3, 8, 8))
    assert not list(tmp_path.iterdir())


def test_an_mp4_without_pyav_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['av'] = None\n"
        "from pathlib import Path; import torch\n"
        "from ganzoo_core import images\n"
        "from ganzoo_core.errors import UnsupportedError\n"
        "try: images.check_format(Path('a.mp4'))\n"
        "except UnsupportedError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert "pip install 'ganzoo-core[video]'" in ran.stdout
