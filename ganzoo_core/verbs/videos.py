"""Videos: content and pose recomposed, and clips gone on with."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.errors import UnsupportedError
from ganzoo_core.verbs.parts import at_rest, check_positive, kept, unable
from ganzoo_core.verbs.walks import Walk, check_walk
from ganzoo_core.video import (
    Recomposer,
    check_frames,
    chunks,
    image_shape_of,
    predicted,
    predictor_among,
    walked,
)

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def swap(model: "Model", content: Tensor, pose: Tensor, *, batch_size: int = 64) -> Tensor:
    """Make images that show what some images show, as others show theirs.

    Args:
        content: [N, C, H, W] in [-1, 1]: who or what is to be seen.
        pose: [N, C, H, W] in [-1, 1]: where it is to be, and in which attitude.
        batch_size: images at a time.

    Returns:
        [N, C, H, W] in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model does not tell content from pose, or takes no such images.
    """
    recomposer = model.recomposer("swap")
    for images in (content, pose):
        check_frames(images, recomposer.composer.image_shape, model.variant, 4)
    if len(content) != len(pose):
        raise UnsupportedError(
            f"{len(content)} images of content were given for {len(pose)} of pose; give one of each"
        )
    check_positive(batch_size=batch_size)
    made = []
    for part in chunks(len(content), batch_size):
        with at_rest(*kept(model).values()):
            given = content[part].to(model.device), pose[part].to(model.device)
            made.append(recomposer.swapped(*given).float().cpu())
    return torch.cat(made)


def predict(
    model: "Model", past: Tensor, future: int, *, seed: int = 0, batch_size: int = 64
) -> Tensor:
    """Go on with videos.

    Args:
        past: the frames that are known, [N, T, C, H, W] in [-1, 1].
        future: how many frames to add, at least 1.
        seed: of networks that draw noise; clip i has the noise of number i.
        batch_size: clips at a time.

    Returns:
        [N, future, C, H, W] in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model predicts nothing, or takes no such clips.
    """
    model.check_predicts()
    check_frames(past, image_shape_of(kept(model)), model.variant, 5)
    check_positive(future=future, batch_size=batch_size, frames=past.shape[1])
    made = []
    for part in chunks(len(past), batch_size):
        with at_rest(*kept(model).values()):
            given = past[part].to(model.device)
            made.append(predicted(kept(model), given, future, seed, part.start).float().cpu())
    return torch.cat(made)


def check_predicts(model: "Model") -> None:
    """Check that the model goes on with videos.

    Raises:
        UnsupportedError: it does not.
    """
    if predictor_among(kept(model)) is None:
        raise unable(model, "predict", "it has no network that goes on with a video")


def interpolate_poses(
    model: "Model",
    content: Tensor,
    first: Tensor,
    last: Tensor,
    frames: int = 16,
    *,
    method: Walk = "slerp",
) -> Tensor:
    """Walk from the pose of one image to that of another, showing the content of a third.

    Args:
        content: [N, C, H, W] in [-1, 1]
        first: [N, C, H, W] in [-1, 1], where the walks begin.
        last: [N, C, H, W] in [-1, 1], where they end.
        frames: images on each walk, both ends included, at least 2.
        method: along the great circle, or along the straight line.

    Returns:
        [N, frames, C, H, W] in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model does not tell content from pose, or takes no such images.
    """
    recomposer = model.recomposer("interpolate between poses")
    for images in (content, first, last):
        check_frames(images, recomposer.composer.image_shape, model.variant, 4)
    check_positive(frames=frames - 1)
    check_walk(method)
    with at_rest(*kept(model).values()):
        shown, start, end = (images.to(model.device) for images in (content, first, last))
        return walked(recomposer, shown, (start, end), frames, method).float().cpu()


def recomposer(model: "Model", verb: str = "swap") -> Recomposer:
    """Return the encoders of content and of pose, and what puts the two together.

    Raises:
        UnsupportedError: the model has no such networks; `verb` is what it then cannot do.
    """
    found = Recomposer.among(kept(model))
    if found is None:
        raise unable(model, verb, "it does not tell content from pose")
    return found
