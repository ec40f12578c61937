"""Bringing images of one domain to another."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import ImageNoise, Translator, drawing_from
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.translating import TILE, translated
from ganzoo_core.verbs.parts import at_rest, check_positive, kept, unable

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def translate(
    model: "Model",
    images: Tensor,
    *,
    direction: str | None = None,
    seed: int = 0,
    batch_size: int = 1,
    tile: int = TILE,
) -> Tensor:
    """Bring images of one domain to the other.

    Args:
        images: [N, channels, height, width] in [-1, 1], of any size: they are padded to what
            the network takes and cropped back.
        direction: `ab` or `ba`; by default the model's only or first one.
        seed: of networks that draw noise, such as dropout; image i has the noise of number i.
        batch_size: images at a time.
        tile: images larger than this in pixels are translated in overlapping tiles of this
            size, so that memory stays bounded.

    Returns:
        [N, channels, height, width] in [-1, 1], on the CPU

    Raises:
        UnsupportedError: the model does not translate, not that way, or not such images.
    """
    translator = model.translator(direction)
    channels = translator.image_shape[0]
    if images.dim() != 4 or images.shape[1] != channels:
        raise UnsupportedError(
            f"{model.variant} translates images of shape ('N', {channels}, 'height', 'width'), "
            f"not {tuple(images.shape)}"
        )
    check_positive(batch_size=batch_size, tile=tile)
    done = []
    for start in range(0, len(images), batch_size):
        chunk = images[start : start + batch_size].to(model.device)
        noise = ImageNoise(seed, range(start, start + len(chunk)), model.device)
        with at_rest(translator), drawing_from(noise, translator):
            done.append(translated(translator, chunk, tile=tile).float().cpu())
    return torch.cat(done)


def translator(model: "Model", direction: str | None = None) -> Translator:
    """Return the network that translates one way.

    Raises:
        UnsupportedError: there is none, or none that way.
    """
    ways = model.directions
    if not ways:
        raise unable(model, "translate")
    way = direction or ways[0]
    if way not in ways:
        raise UnsupportedError(
            f"{model.variant} translates {' and '.join(ways)}, not {way}; choose one of these "
            "as the direction"
        )
    return translators_of(model)[way]


def translators_of(model: "Model") -> dict[str, Translator]:
    """Return the networks that translate, by the way that they go: by their roles.

    Of a model with one translator, a trainer that can be told `direction` says which way.
    """
    found = {
        role: network for role, network in kept(model).items() if isinstance(network, Translator)
    }
    if len(found) != 1:
        return found
    (role,) = found
    learned: str = getattr(model.blueprint.trainer.config, "direction", role)
    return {learned: found[role]}
