"""What a model can do with videos: recompose content and pose, and go on with a clip."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganzoo_core.components import Code, Composer, Encoder, ImageNoise, Predictor, drawing_from
from ganzoo_core.errors import UnsupportedError

CONTENT, POSE = "content", "pose"
"""The roles of the encoders beside a composer."""


@dataclass(frozen=True)
class Recomposer:
    """A composer with the encoders of what it puts together."""

    content: Encoder
    pose: Encoder
    composer: Composer

    @staticmethod
    def among(networks: Mapping[str, nn.Module]) -> "Recomposer | None":
        """Return the three of them, or None where one is missing."""
        found = next((net for net in networks.values() if isinstance(net, Composer)), None)
        content, pose = networks.get(CONTENT), networks.get(POSE)
        if found is None or not isinstance(content, Encoder) or not isinstance(pose, Encoder):
            return None
        return Recomposer(content, pose, found)

    def swapped(self, content: Tensor, pose: Tensor) -> Tensor:
        """Return images with the content of some [N, C, H, W] and the pose of others."""
        images: Tensor = self.composer(self.content(content), self.pose(pose).mean)
        return images


def predictor_among(networks: Mapping[str, nn.Module]) -> Predictor | None:
    """Return the network that goes on with videos, where it has all that it needs."""
    found = next((net for net in networks.values() if isinstance(net, Predictor)), None)
    if found is None or found.predicts_frames:
        return found
    return found if Recomposer.among(networks) else None


def predicted(
    networks: Mapping[str, nn.Module], past: Tensor, future: int, seed: int, first: int
) -> Tensor:
    """Go on with clips [N, T, C, H, W] in [-1, 1], the first of which is number `first`.

    Returns:
        [N, future, C, H, W]
    """
    predictor = predictor_among(networks)
    assert predictor is not None
    numbers = range(first, first + len(past))
    recomposer = Recomposer.among(networks)
    code: Code | None = None
    if recomposer and (predictor.content_shape or not predictor.predicts_frames):
        # What stays is best known from the newest frame, which skips may also draw from.
        code = recomposer.content(past[:, -1])
    beside = (code.mean,) if predictor.content_shape and code is not None else ()
    series = past
    if not predictor.predicts_frames:
        assert recomposer is not None
        series = recomposer.pose(past.flatten(0, 1)).mean.unflatten(0, past.shape[:2])
    with drawing_from(ImageNoise(seed, numbers, past.device), predictor):
        ahead: Tensor = predictor(series, future, *beside)
    if predictor.predicts_frames:
        return ahead
    assert recomposer is not None and code is not None
    frames = [recomposer.composer(code, pose) for pose in ahead.unbind(1)]
    return torch.stack(frames, 1)


def walked(
    recomposer: Recomposer,
    content: Tensor,
    ends: tuple[Tensor, Tensor],
    frames: int,
    walk: Literal["slerp", "linear"],
) -> Tensor:
    """Walk from one image's pose to another's, with the content of a third: [N, frames, …]."""
    from ganzoo_core.verbs.walks import slerp

    code = recomposer.content(content)
    first, last = (recomposer.pose(images).mean for images in ends)
    between = slerp if walk == "slerp" else torch.lerp
    shares = torch.linspace(0, 1, frames, device=content.device)
    steps = [recomposer.composer(code, between(first, last, share)) for share in shares]
    return torch.stack(steps, 1)


def image_shape_of(networks: Mapping[str, nn.Module]) -> tuple[int, int, int]:
    """Return channels, height and width of the images that networks take or make.

    Raises:
        UnsupportedError: none says so.
    """
    for network in networks.values():
        shape = getattr(network, "image_shape", None)
        if shape:
            channels, height, width = shape
            return int(channels), int(height), int(width)
    raise UnsupportedError("no network of this model says which images it takes")


def check_frames(images: Tensor, shape: tuple[int, ...], variant: str, dimensions: int) -> None:
    """Check that images or clips are of the size that a model takes.

    Raises:
        UnsupportedError: they are not.
    """
    if images.dim() != dimensions or tuple(images.shape[-3:]) != tuple(shape):
        wanted = ("N", *(("T",) if dimensions == 5 else ()), *shape)
        raise UnsupportedError(
            f"{variant} takes {'clips' if dimensions == 5 else 'images'} of shape {wanted}, not "
            f"{tuple(images.shape)}"
        )


def chunks(count: int, size: int) -> Iterator[slice]:
    """Yield slices of at most `size` that cover `count`."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
