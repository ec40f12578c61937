"""Features of a source and a target side by side, before and after an adaptation."""

from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from ganzoo_core.data import ImageData, indices
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.evaluation.real import pixels_to_images
from ganzoo_core.evaluation.report.charts import draw_scatter, quietly
from ganzoo_core.evaluation.report.projection import projected
from ganzoo_core.model import Model

SHOWN = 1000
"""Images of each domain."""
SOURCE_ENCODER = "source_encoder"
"""Role of the source's encoder, where an adaptation gives the target one of its own."""


class _State(NamedTuple):
    title: str
    source: Callable[[Tensor], Tensor]
    target: Callable[[Tensor], Tensor]


def domains_picture(
    model: Model, before: Model | None, data: ImageData, seed: int, projection: str
) -> Image.Image:
    """Draw features twice, coloured by domain and by class; before the adaptation above after it.

    Args:
        model: adapted.
        before: the model that `model` is held against; without one, the encoder of the source
            where `model` keeps it beside the target's, else nothing.
        data: of both domains; the target's labels, where there are any, choose colours alone.
        seed: of the images that are shown.
        projection: how features are brought to the plane, for each state on its own.

    Raises:
        UnsupportedError: a model that does not encode these images, or data of one domain.
    """
    from matplotlib.figure import Figure

    if data.other is None:
        raise UnsupportedError(f"{data.name} is one set of images; name two by --source, --target")
    sides = (data, data.other)
    chosen = [indices(len(side), min(SHOWN, len(side)), 0, seed) for side in sides]
    shown = [pixels_to_images(s.images[own]) for s, own in zip(sides, chosen, strict=True)]
    states = _states(model, before)
    figure = Figure(figsize=(13, 5.6 * len(states)), dpi=90, layout="constrained")
    axes = figure.subplots(len(states), 2, squeeze=False)
    domains = np.repeat([0, 1], [len(own) for own in chosen])
    classes = np.concatenate(
        [
            np.full(len(own), -1) if side.labels is None else side.labels[own]
            for side, own in zip(sides, chosen, strict=True)
        ]
    )
    with quietly():
        for row, state in zip(axes, states, strict=True):
            encoded = (state.source(shown[0]), state.target(shown[1]))
            codes = np.concatenate([each.flatten(1).double().numpy() for each in encoded])
            found = projected(codes, projection, seed)
            draw_scatter(row[0], found.points, found.axes, domains, ("source", "target"))
            row[0].set_title(f"{state.title}: by domain")
            # Images without a class are left out of the second panel.
            draw_scatter(row[1], found.points, found.axes, classes, data.class_names)
            row[1].set_title(f"{state.title}: by class")
        drawn = BytesIO()
        figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")


def _states(model: Model, before: Model | None) -> list[_State]:
    own = model.networks.get(SOURCE_ENCODER)
    source = Model(model.blueprint, {**model.networks, "encoder": own}) if own else model
    after = _State("after", source.encode, model.encode)
    earlier = before or (source if own else None)
    return [_State("before", earlier.encode, earlier.encode), after] if earlier else [after]
