"""Finding the style that a generator draws a given image of (Karras et al. 2020, appendix D)."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganzoo_core.components import ImageNoise, MappedGenerator, drawing_from
from ganzoo_core.errors import DataError, HubError, UnsupportedError
from ganzoo_core.files import whole_file
from ganzoo_core.stopping import StopSignals

if TYPE_CHECKING:
    from ganzoo_core.evaluation.features import Features

Space = Literal["w", "w+"]
PIXELS = "pixels"
"""The name of the distance that needs no network: the mean squared difference of pixels."""

STYLES = 10_000
"""Styles that their mean and spread are taken over."""
RATE = 0.1
"""The largest learning rate."""
RISE, FALL = 0.05, 0.25
"""Shares of the steps in which it rises from 0, linearly, and falls back along a cosine."""
JITTER, CALM = 0.05, 0.75
"""Noise on the style in units of the styles' spread, and the share of the steps after which none is
left."""
NOISE_WEIGHT = 1e5
"""Of the penalty on noise that is no longer noise."""
SECONDS = 3.0
"""How long the Hub may take to answer, before images are compared by their pixels."""
SMALLEST_NOISE = 8
"""Side to which noise is shrunk for that penalty."""


@dataclass(frozen=True)
class Projection:
    """What was found."""

    image: Tensor
    """[channels, height, width] in [-1, 1], what the generator draws of it."""
    styles: Tensor
    """[style_size] in W, [style_layers, style_size] in W+."""
    noise: Sequence[Tensor]
    """The noise that it is drawn with, in the order in which the layers draw it: each
    [1, channels, height, width]."""
    distance: float
    """From the target, as `measure` says."""
    measure: str
    """What was minimised: the features' name, or `pixels`."""
    steps: int
    """How many steps were made."""

    def save(self, file: Path) -> None:
        """Write the styles and the noise as safetensors, `w` and `noise.0` onwards.

        Raises:
            RunError: the place cannot be written.
        """
        from safetensors.torch import save_file

        tensors = {"w": self.styles} | {f"noise.{n}": each for n, each in enumerate(self.noise)}
        facts = {"steps": str(self.steps), "distance": f"{self.distance:.6g}"}
        with whole_file(file) as partial:
            save_file(
                {name: tensor.contiguous() for name, tensor in tensors.items()},
                partial,
                metadata=facts | {"measure": self.measure},
            )


Observe = Callable[[int, int, float, Callable[[], Projection]], None]
"""Called after each step with the steps done and in all, the distance, and what gives the
projection as it stands."""


def project(
    generator: MappedGenerator,
    target: Tensor,
    *,
    space: Space = "w",
    steps: int = 1000,
    label: Tensor | None = None,
    features: "Features | None" = None,
    noise: bool = True,
    seed: int = 0,
    observe: Observe | None = None,
) -> Projection:
    """Look for the style of an image, by the descent of appendix D.

    From the mean style on, the style moves towards what the target needs; noise on it, which fades
    out, keeps it from the nearest trap. The layers' noise is found too, and kept noise by a penalty
    on what each map has in common with itself a pixel away. Ctrl-C ends it early with what there
    is.

    Args:
        generator: in eval mode, its weights frozen.
        target: [channels, height, width] in [-1, 1]
        space: one style for all layers, or one for each.
        steps: of Adam.
        label: [1], int64; only where the generator takes classes.
        features: the network in whose eyes the images are compared; by pixels where None.
        noise: look for the noise too; else it is what `seed` draws.
        seed: of all that is drawn.
        observe: told how it goes.

    Raises:
        UnsupportedError: the target has another shape, or there are no steps.
    """
    device = generator.style_mean.device
    if tuple(target.shape) != tuple(generator.image_shape):
        raise UnsupportedError(
            f"the generator draws images of shape {tuple(generator.image_shape)}, and the target "
            f"has {tuple(target.shape)}"
        )
    if space not in ("w", "w+"):
        raise UnsupportedError(f"there is no space {space!r} to project into; choose w or w+")
    if steps < 1:
        raise UnsupportedError(f"steps must be at least 1, not {steps}")
    wanted = target.to(device)[None]
    draws = torch.Generator().manual_seed(seed)
    mean, spread = _styles_of(generator, label, draws)
    found = mean.clone()
    if space == "w+":
        found = generator.broadcast(found).clone()
    kept = _KeptNoise(seed, device)
    with torch.no_grad(), drawing_from(kept, generator):
        generator.synthesize(found)
    moved = [found, *(kept.maps if noise else [])]
    for tensor in moved:
        tensor.requires_grad_()
    adam = torch.optim.Adam(moved, lr=RATE)

    done = 0

    def standing() -> Projection:
        with torch.no_grad(), drawing_from(kept.again(), generator):
            image = generator.synthesize(found)
            distance = float(_distance(image, wanted, features))
        maps = [each.detach().cpu().clone() for each in kept.maps]
        style = found.detach()[0].cpu().clone()
        name = features.name if features else PIXELS
        return Projection(image[0].float().cpu(), style, maps, distance, name, done)

    with StopSignals() as stop:
        for step in range(steps):
            if stop.number and done:
                break
            share = step / steps
            adam.param_groups[0]["lr"] = RATE * _ramp(share)
            jitter = JITTER * spread * max(0.0, 1 - share / CALM) ** 2
            shaken = found + jitter * torch.randn(found.shape, generator=draws).to(device)
            with drawing_from(kept.again(), generator):
                image = generator.synthesize(shaken)
            distance = _distance(image, wanted, features)
            total = distance
            if noise:
                total = total + NOISE_WEIGHT * _structure(kept.maps)
            for tensor, gradient in zip(moved, torch.autograd.grad(total, moved), strict=True):
                tensor.grad = gradient
            adam.step()
            if noise:
                kept.normalize()
            done = step + 1
            if observe:
                observe(done, steps, float(distance.detach()), standing)
    return standing()


def read_target(file: Path, image_shape: tuple[int, int, int]) -> Tensor:
    """Read an image file as a target: [C, H, W] in [-1, 1], its central square, resized.

    Raises:
        DataError: the file cannot be read as an image.
    """
    from ganzoo_core.data.pixels import BrokenImageError, PixelFormat, read_image

    channels, size, _ = image_shape
    try:
        with file.open("rb") as stream:
            pixels = read_image(stream, PixelFormat(size, channels, "lanczos"))
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from None
    except BrokenImageError as error:
        raise DataError(f"{file} cannot be decoded: {error}; check that it is whole") from None
    return torch.tensor(pixels).permute(2, 0, 1).float().div(127.5).sub(1)


def features_for(name: str | None, device: torch.device) -> "tuple[Features | None, str]":
    """Return the features to compare by, None for pixels, and why they are not the usual ones.

    Args:
        name: `pixels`, or what `find_features` takes; by default the usual features where they can
            be had, and else pixels.
        device: where to compute.

    Raises:
        GanzooError: features that were asked for cannot be had.
    """
    from ganzoo_core.evaluation.features import GENERAL, find_features
    from ganzoo_core.hub._client import answers

    if name == PIXELS:
        return None, ""
    if name is not None:
        return find_features(name, device), ""
    if answers(SECONDS):
        with suppress(HubError, ImportError):
            return find_features(GENERAL, device), ""
    return None, f"the features {GENERAL} cannot be had, so images are compared by their pixels"


class _KeptNoise:
    """Noise that is drawn once, and the same at every later pass of the same layers."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.maps: list[Tensor] = []
        self._fresh = ImageNoise(seed, [0], device)
        self._next: int | None = None

    def again(self) -> "_KeptNoise":
        """Begin another pass."""
        self._next = 0
        return self

    def normal(self, count: int, *shape: int) -> Tensor:
        """Return what was drawn at this point of the first pass: [count, *shape]."""
        if self._next is None:
            self.maps.append(self._fresh.normal(count, *shape))
            return self.maps[-1]
        self._next += 1
        return self.maps[self._next - 1]

    def uniform(self, count: int, *shape: int) -> Tensor:
        """Refuse: at rest, generators with styles draw normal noise only."""
        raise UnsupportedError("a generator that draws uniform noise cannot be projected into")

    def integers(self, high: int, count: int, *shape: int) -> Tensor:
        """Refuse, as `uniform`."""
        return self.uniform(count, *shape)

    @torch.no_grad()
    def normalize(self) -> None:
        """Bring each map back to a mean of 0 and a variance of 1."""
        for noise in self.maps:
            noise -= noise.mean()
            noise *= noise.square().mean().rsqrt()


@torch.no_grad()
def _styles_of(
    generator: MappedGenerator, label: Tensor | None, draws: torch.Generator
) -> tuple[Tensor, float]:
    """Return the mean of the styles [1, style_size], and how far they lie from it."""
    device = generator.style_mean.device
    styles = []
    for start in range(0, STYLES, 1000):
        count = min(1000, STYLES - start)
        latents = torch.randn(count, *generator.latent_shape, generator=draws).to(device)
        labels = None if label is None else label.to(device).expand(count)
        styles.append(generator.map(latents, labels))
    joined = torch.cat(styles)
    mean = joined.mean(0, keepdim=True)
    return mean, float((joined - mean).square().sum(1).mean().sqrt())


def _ramp(share: float) -> float:
    falling = min(1.0, (1 - share) / FALL)
    return (0.5 - 0.5 * math.cos(math.pi * falling)) * min(1.0, share / RISE + 1e-3)


def _distance(image: Tensor, target: Tensor, features: "Features | None") -> Tensor:
    if features is None:
        return functional.mse_loss(image.float(), target.float())
    from ganzoo_core.evaluation.metrics.perceptual import perceptual_distances

    return perceptual_distances(image, target, features.maps)[0].to(image)


def _structure(maps: Sequence[Tensor]) -> Tensor:
    """Return how much noise maps have in common with themselves a pixel away, at every scale."""
    total = maps[0].new_zeros(())
    for noise in maps:
        while True:
            for axis in (2, 3):
                total = total + (noise * noise.roll(1, axis)).mean().square()
            if noise.shape[2] <= SMALLEST_NOISE:
                break
            noise = nn.functional.avg_pool2d(noise, 2) * 2  # whose variance is 1 again
    return total
