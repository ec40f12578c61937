"""Walking between latents."""

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from ganzoo_core.components import Generator, ImageNoise, NoiseMode
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.verbs.parts import Labels, asked_labels, at_rest, check_positive, generated, need
from ganzoo_core.verbs.styles import drawn_styles

if TYPE_CHECKING:
    from ganzoo_core.model import Model

Walk = Literal["slerp", "linear"]


def interpolate(
    model: "Model",
    pairs: int = 8,
    frames: int = 16,
    *,
    seed: int = 0,
    labels: Labels = None,
    method: Walk | None = None,
    space: Literal["z", "w"] = "z",
    truncation: float = 1.0,
    cutoff: int | None = None,
    noise: NoiseMode = "drawn",
) -> Tensor:
    """Walk between pairs of latents.

    Args:
        pairs: how many walks.
        frames: images on each walk, both ends included, at least 2.
        seed: of the latents; walk i goes from image 2i of `sample` to image 2i + 1.
        labels: of a conditional model, as for `sample`: one for all, or one for each walk.
        method: along the great circle, as suits Gaussian latents and is done in z unless asked
            otherwise, or along the straight line, as in w.
        space: "z", the latents, or "w", the styles that a generator maps them to.
        truncation: as for `sample`, and so are `cutoff` and `noise`.
        cutoff: see there.
        noise: see there.

    Returns:
        [pairs, frames, channels, height, width], in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model has no generator or no such space, or there are too few
            pairs or frames.
    """
    generator = need(model, Generator, "interpolate")
    if generator.discrete:
        raise UnsupportedError(
            f"{model.variant} cannot interpolate: nothing lies between whole codes"
        )
    check_positive(pairs=pairs, frames=frames - 1)
    method = method or ("linear" if space == "w" else "slerp")
    check_walk(method)
    if space not in ("z", "w"):
        raise UnsupportedError(f"there is no space {space!r} to walk in; choose z or w")
    mapped = model.mapped("interpolate in w") if space == "w" else None
    rendering = model.rendering(truncation, cutoff, noise)
    walk = slerp if method == "slerp" else torch.lerp
    asked = asked_labels(model, generator, labels, pairs)
    walks = []
    for pair in range(pairs):
        draws = ImageNoise(seed, (2 * pair, 2 * pair + 1), model.device)
        ends = generator.latents(2, draws)
        # One series of noise for the whole walk: only the latent moves.
        still = ImageNoise(seed, [2 * pair] * frames, model.device)
        generator.latents(frames, still)  # it goes on where the first image's does
        shares = torch.linspace(0, 1, frames, device=model.device)
        its = None if asked is None else asked[pair].expand(frames)
        if mapped is not None:
            with at_rest(mapped):
                ends = mapped.map(ends, None if its is None else its[:2].to(model.device))
        first, last = ends.split(1)
        path = torch.cat([walk(first, last, share) for share in shares])
        if mapped is None:
            walks.append(generated(model, generator, path, still, its, rendering))
        else:
            walks.append(drawn_styles(mapped, path, still, rendering))
    return torch.stack(walks)


def slerp(first: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """Go along the great circle from one latent to another (Shoemake 1985; White 2016).

    Args:
        first: [N, …], where `share` is 0
        last: [N, …], where `share` is 1
        share: scalar in [0, 1]

    Returns:
        [N, …]; on the straight line where the two are parallel
    """
    a, b = first.flatten(1), last.flatten(1)
    cosine = nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1)
    angle = torch.acos(cosine)[:, None]
    sine = torch.sin(angle)
    curved = (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / sine
    straight = torch.lerp(a, b, share)
    return torch.where(sine.abs() > 1e-4, curved, straight).view_as(first)


def check_walk(method: str) -> None:
    """Check that there is such a way to go from one code to another.

    Raises:
        UnsupportedError: there is none.
    """
    if method not in ("slerp", "linear"):
        raise UnsupportedError(f"there is no interpolation {method!r}; choose slerp or linear")
