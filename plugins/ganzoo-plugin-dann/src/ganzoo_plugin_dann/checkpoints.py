"""Reads what fungtion/DANN saves: a whole pickled `CNNModel`, as data and without running it.

Its networks are those of the paper with batch normalisation, other widths and two logits for the
domain, of the source and of the target; ours is their difference.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of

PROJECT = "fungtion/DANN"

IMAGE_SIZE = 28
"""Fixed by the project's code, and by the 4×4 maps that its first linear layers take."""

_ENCODER = {
    "feature.f_conv1": "features.conv1",
    "feature.f_bn1": "features.norm1",
    "feature.f_conv2": "features.conv2",
    "feature.f_bn2": "features.norm2",
    "class_classifier.c_fc1": "classifier.hidden1",
    "class_classifier.c_bn1": "classifier.norm1",
    "class_classifier.c_fc2": "classifier.hidden2",
    "class_classifier.c_bn2": "classifier.norm2",
    "class_classifier.c_fc3": "classifier.to_classes",
}
_DISCRIMINATOR = {
    "domain_classifier.d_fc1": "layers.hidden1",
    "domain_classifier.d_bn1": "layers.norm1",
}
_TO_DOMAIN = "domain_classifier.d_fc2"

State = Mapping[str, Tensor]


def read(file: Path) -> AuthorsWeights:
    """Return the encoder and the discriminator in `file`.

    Raises:
        CheckpointError: it cannot be read, or is no network of this project.
    """
    opened = read_authors_file(file)
    state = state_dict_of(opened)
    expected = {
        f"{layer}.{part}"
        for layer in (*_ENCODER, *_DISCRIMINATOR, _TO_DOMAIN)
        for part in ("weight", "bias")
    }
    if missing := sorted(expected - state.keys()):
        raise CheckpointError(
            f"{file} is no CNNModel of {PROJECT}, the layout that is read here (it has no "
            f"{missing[0]})"
        )
    first, second = (state[f"feature.f_conv{number}.weight"] for number in (1, 2))
    inner = state["class_classifier.c_fc1.weight"]
    classes = state["class_classifier.c_fc3.weight"]
    domains = state[f"{_TO_DOMAIN}.weight"]
    if first.dim() != 4 or inner.shape[1] != 16 * second.shape[0] or len(domains) != 2:
        raise CheckpointError(
            f"{file} has the names of {PROJECT} and layers of other shapes, such as "
            f"{list(inner.shape)} behind the convolutions; it cannot be converted"
        )
    to_logit = {
        f"layers.to_logit.{part}": state[f"{_TO_DOMAIN}.{part}"][:1]
        - state[f"{_TO_DOMAIN}.{part}"][1:]
        for part in ("weight", "bias")
    }
    width = len(state["domain_classifier.d_fc1.weight"])
    return AuthorsWeights(
        networks={
            "encoder": _taken(state, _ENCODER),
            "discriminator": _taken(state, _DISCRIMINATOR) | to_logit,
        },
        settings={
            "image_size": IMAGE_SIZE,
            "batch_normalization": True,
            "encoder.channels": first.shape[1],
            "encoder.classes": len(classes),
            "encoder.first_maps": len(first),
            "second_maps": len(second),
            "encoder.hidden": len(inner),
            "encoder.dropout": 0.5,
            "discriminator.width": width,
        },
        recognised=(
            f"CNNModel of {PROJECT} ({opened.format}): {len(first)} and {len(second)} maps, "
            f"{len(classes)} classes, images of {IMAGE_SIZE} pixels"
        ),
    )


def _taken(state: State, names: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the layers of `names` under ours, the statistics of normalisations included."""
    return {
        f"{names[layer]}.{part}": tensor
        for name, tensor in state.items()
        for layer, _, part in (name.rpartition("."),)
        if layer in names
    }
