"""What a model makes of videos, beside the videos themselves: grids, predictions, walks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganzoo_core.data import ClipData, indices, open_clips
from ganzoo_core.data.clips import check_lengths
from ganzoo_core.data.order import Indices
from ganzoo_core.errors import DataError
from ganzoo_core.model import Model
from ganzoo_core.video import image_shape_of

Decoding = Callable[[int, int], None]


class Footage:
    """Videos at the size that a model takes, some of them chosen by a seed.

    Args:
        model: that they are for.
        source: what `--data` takes.
        root: folder that the source's path is relative to.
        split: "train" or "test".
        resize_filter: lanczos, bicubic, bilinear or box.
        progress: called while decoding with the number of videos done and of all.

    Raises:
        GanzooError: the source is missing, of single images, or broken.
    """

    def __init__(
        self,
        model: Model,
        source: str,
        *,
        root: Path | None = None,
        split: str = "train",
        resize_filter: str = "lanczos",
        progress: Decoding | None = None,
    ) -> None:
        channels, height, _ = image_shape_of(model.networks)
        self.data: ClipData = open_clips(
            source,
            image_size=height,
            channels=channels,
            root=root,
            split=split,
            resize_filter=resize_filter,
            progress=progress,
        )

    def chosen(self, count: int, seed: int) -> Indices:
        """Return the numbers of `count` different clips: [count].

        Raises:
            DataError: there are not so many.
        """
        if count > len(self.data):
            raise DataError(
                f"{self.data.name} has {len(self.data)} clips, and {count} are asked for; ask for "
                "fewer"
            )
        return indices(len(self.data), count, 0, seed)

    def frames(self, clips: Sequence[int], times: Indices) -> Tensor:
        """Return frames of clips [N] at times [N, T]: [N, T, C, H, W] in [-1, 1]."""
        pixels = self.data.frames(np.asarray(clips, dtype=np.int64), times)
        return torch.from_numpy(pixels).permute(0, 1, 4, 2, 3).float().div_(127.5).sub_(1)

    def beginnings(self, clips: Sequence[int], count: int) -> Tensor:
        """Return the first frames of clips [N]: [N, count, C, H, W] in [-1, 1]."""
        return self.frames(clips, np.tile(np.arange(count), (len(clips), 1)))

    def spread(self, clip: int, count: int) -> Tensor:
        """Return frames of one clip, spread evenly over it: [count, C, H, W] in [-1, 1]."""
        last = int(self.data.lengths[clip]) - 1
        return self.frames([clip], np.linspace(0, last, count).astype(np.int64)[None])[0]


def swap_grid(
    model: Model, footage: Footage, *, rows: int = 8, columns: int = 8, seed: int = 0
) -> Tensor:
    """Show the contents of some clips in the poses of another one.

    The left column has a frame of each of `rows` clips, the upper row frames of one more clip;
    where they meet is the content of the left one in the pose of the upper one.

    Returns:
        [(rows + 1) × (columns + 1), C, H, W] in [-1, 1], row by row; the corner is white.

    Raises:
        GanzooError: the model does not tell content from pose, or there are too few clips.
    """
    model.recomposer("swap")
    pose_clip, *content_clips = footage.chosen(rows + 1, seed).tolist()
    poses = footage.spread(pose_clip, columns)
    contents = footage.beginnings(content_clips, 1)[:, 0]
    made = model.swap(contents.repeat_interleave(columns, 0), poses.repeat(rows, 1, 1, 1))
    inside = torch.cat([contents[:, None], made.unflatten(0, (rows, columns))], 1)
    above = torch.cat([torch.ones_like(poses[:1]), poses])
    return torch.cat([above, inside.flatten(0, 1)])


def prediction(
    model: Model, footage: Footage, *, past: int, future: int, count: int = 4, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Go on with the beginnings of some clips.

    Returns:
        what happened, and the same beginnings with what is predicted after them, both
        [count, past + future, C, H, W] in [-1, 1]; white where a clip has ended.

    Raises:
        GanzooError: the model predicts nothing, or there are too few clips or they are too short.
    """
    clips = footage.chosen(count, seed).tolist()
    check_lengths(footage.data, past, f"{model.variant} with {past} frames of the past")
    given = footage.beginnings(clips, past)
    ahead = model.predict(given, future, seed=seed)
    truth = torch.ones_like(torch.cat([given, ahead], 1))
    for number, clip in enumerate(clips):
        whole = min(past + future, int(footage.data.lengths[clip]))
        truth[number, :whole] = footage.beginnings([clip], whole)[0]
    return truth, torch.cat([given, ahead], 1)


def pose_walks(
    model: Model,
    footage: Footage,
    *,
    walks: int = 8,
    frames: int = 16,
    seed: int = 0,
    method: Literal["slerp", "linear"] = "slerp",
) -> Tensor:
    """Walk between poses that clips have at their ends, each walk showing another clip's content.

    Returns:
        [walks, frames, C, H, W] in [-1, 1]

    Raises:
        GanzooError: the model does not tell content from pose, or there are too few clips.
    """
    model.recomposer("interpolate between poses")
    clips = footage.chosen(walks, seed).tolist()
    content = footage.beginnings(clips, 1)[:, 0]
    middles = footage.data.lengths[clips] // 2
    ends = footage.frames(clips, np.stack([np.zeros_like(middles), middles], 1)).roll(1, 0)
    return model.interpolate_poses(content, ends[:, 0], ends[:, 1], frames, method=method)
