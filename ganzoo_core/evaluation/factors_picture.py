"""Where codes lie, by what their images were made from: which code knows which factor."""

from io import BytesIO

import numpy as np
from PIL import Image
from torch import Tensor

from ganzoo_core.components import Encoder
from ganzoo_core.data import ImageData
from ganzoo_core.errors import UnsupportedError
from ganzoo_core.evaluation.report.charts import draw_scatter, quietly
from ganzoo_core.evaluation.report.projection import projected
from ganzoo_core.model import Model

PANELS = 4
"""Factors that are shown at most: those with the fewest values, which colours can tell apart."""


def factors_picture(
    model: Model,
    data: ImageData,
    images: Tensor,
    chosen: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    seed: int,
    projection: str,
) -> Image.Image:
    """Draw the codes of each encoder in a row, coloured by one factor after another.

    Args:
        model: that encodes.
        data: whose images they are, with known factors.
        images: [N, C, H, W] in [-1, 1]
        chosen: [N], which images of the data they are.
        seed: of the projection.
        projection: how codes are brought to the plane, those of each encoder on their own.

    Raises:
        UnsupportedError: the data do not say what their images were made from.
    """
    from matplotlib.figure import Figure

    if data.factors is None:
        raise UnsupportedError(
            f"{data.name} does not say what its images were made from; leave the picture 'factors' "
            "out, or take data with known factors"
        )
    varied = [n for n, size in enumerate(data.factor_sizes) if size > 1]
    shown = sorted(varied, key=lambda n: data.factor_sizes[n])[:PANELS]
    roles = [role for role, net in model.networks.items() if isinstance(net, Encoder)]
    figure = Figure(figsize=(5 * len(shown), 4.4 * len(roles)), dpi=80, layout="constrained")
    axes = figure.subplots(len(roles), len(shown), squeeze=False)
    with quietly():
        for row, role in zip(axes, roles, strict=True):
            codes = model.encode(images, space=role).flatten(1).double().numpy()
            found = projected(codes, projection, seed)
            for panel, factor in zip(row, shown, strict=True):
                names = tuple(str(value) for value in range(data.factor_sizes[factor]))
                values = data.factors[chosen, factor]
                draw_scatter(panel, found.points, found.axes, values, names)
                panel.set_title(f"{role} by {data.factor_names[factor]}")
        drawn = BytesIO()
        figure.savefig(drawn, format="png")
    return Image.open(drawn).convert("RGB")
