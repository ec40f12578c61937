"""Which categories a model sees in real images, where it has found some without labels."""

import torch
from torch import Tensor

from ganzoo_core.components import Discriminator
from ganzoo_core.data import ImageData
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.evaluation.drawing import generator_of
from ganzoo_core.evaluation.real import pixels_to_images
from ganzoo_core.model import Model


def categories_of(model: Model, data: ImageData, *, batch_size: int = 64) -> dict[str, Tensor]:
    """Return the most probable category of each categorical code for every image.

    Args:
        model: one that keeps a discriminator with a head for the generator's categorical codes.
        data: images of the model's size.
        batch_size: images at a time.

    Returns:
        by the code's name, [N], int64

    Raises:
        UnsupportedError: the model has no categorical code, or keeps no network that names it.
    """
    codes = [name for name, code in generator_of(model).codes.items() if code.categorical]
    kept = (model.networks.get(role) for role in model.blueprint.entry.recipe.inference)
    judge = next((network for network in kept if isinstance(network, Discriminator)), None)
    if not codes or judge is None:
        raise UnsupportedError(
            f"{model.variant} finds no categories in images; leave code-error out of --metrics"
        )
    found: dict[str, list[Tensor]] = {name: [] for name in codes}
    before = judge.training
    judge.eval()
    with torch.no_grad():
        for start in range(0, len(data), batch_size):
            images = pixels_to_images(data.images[start : start + batch_size])
            heads = judge(images.to(model.device)).heads
            for name in codes:
                found[name].append(heads[name].argmax(1).cpu())
    judge.train(before)
    return {name: torch.cat(parts) for name, parts in found.items()}
