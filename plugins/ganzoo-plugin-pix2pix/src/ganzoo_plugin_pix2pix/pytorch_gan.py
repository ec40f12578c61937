"""Reads the networks of PyTorch-GAN, which HugGAN's scripts train and put on the Hub.

Its U-Net normalises each image, has leaky rectifiers on the way to the decoder as well, hands the
decoder's maps over before the encoder's, and makes the image of repeated pixels. Its discriminators
have strides only, and judge the answer before the question.
"""

import re

import torch
from torch import Tensor

from ganzoo_plugin_pix2pix.checkpoints import Network, State, numbered_convolutions

PROJECT = "PyTorch-GAN"

_UNET_LAYER = re.compile(r"((?:down|up)\d+\.model\.0|final\.2)\.(?:weight|bias)")


def unet(state: State) -> Network | None:
    """Recognise the U-Net of kernels of 4, the project's since 2019."""
    downs, ups = _numbered(state, "down"), _numbered(state, "up")
    last = state.get("final.2.weight")
    if last is None or not all(map(_UNET_LAYER.fullmatch, state)) or len(downs) != len(ups) + 1:
        return None
    if not ups or any(kernels.shape[2:] != (4, 4) for kernels in (*downs, *ups, last)):
        return None
    own: State = {}
    for level, kernels in enumerate(downs):
        own[f"downs.{level}.convolution.weight"] = kernels
    own["downs.0.convolution.bias"] = torch.zeros(len(downs[0]))
    own[f"downs.{len(downs) - 1}.convolution.bias"] = torch.zeros(len(downs[-1]))
    for number, kernels in enumerate(ups):
        own[f"ups.{number}.convolution.weight"] = _swapped(kernels, 0) if number else kernels
    own["to_image.weight"] = _swapped(last, 1)
    own["to_image.bias"] = state.get("final.2.bias", torch.zeros(len(last)))
    width, channels = downs[0].shape[:2]
    size = 2 ** len(downs)
    return Network(
        "unet",
        own,
        {
            "image_size": size,
            "channels": channels,
            "width": width,
            "normalization": "instance",
            "as_trained": False,
            "skip_slope": 0.2,
            "last_upsampling": "nearest",
        },
        f"U-Net generator of {size} pixels ({len(downs)} levels), {channels} channels, width "
        f"{width}, instance normalisation, at rest as in eval mode",
        PROJECT,
    )


def patchgan(state: State, *, pairs: bool) -> Network | None:
    """Recognise a discriminator; only the number of its last layer tells it from others.

    One of `pairs` is turned to judge the question before the answer, as ours do.
    """
    names = numbered_convolutions(state)
    kernels = [state[f"{name}.weight"] for name in names]
    if [name.removeprefix("model.") for name in names] != ["0", "2", "5", "8", "12"]:
        return None
    if any(each.shape[2:] != (4, 4) for each in kernels) or kernels[-1].shape[0] != 1:
        return None
    own = {f"layers.{n}.convolution.weight": each for n, each in enumerate(kernels[:-1])}
    if pairs:
        own["layers.0.convolution.weight"] = _swapped(kernels[0], 1)
    own["layers.0.convolution.bias"] = state["model.0.bias"]
    own["to_logits.weight"] = kernels[-1]
    own["to_logits.bias"] = state.get("model.12.bias", torch.zeros(1))
    width, channels = kernels[0].shape[:2]
    return Network(
        "patchgan",
        own,
        {
            "channels": channels,
            "width": width,
            "receptive_field": 94,
            "normalization": "instance",
        },
        f"PatchGAN discriminator of 94x94 pixels, {channels} channels, width {width}, instance "
        "normalisation",
        PROJECT,
    )


def _numbered(state: State, way: str) -> list[Tensor]:
    """Return the kernels of `down1`, `down2`, … or `up1`, …, as far as they go."""
    found: list[Tensor] = []
    while (kernels := state.get(f"{way}{len(found) + 1}.model.0.weight")) is not None:
        found.append(kernels)
    return found


def _swapped(kernels: Tensor, dimension: int) -> Tensor:
    """Return kernels whose halves of the input maps have changed places."""
    first, second = kernels.chunk(2, dimension)
    return torch.cat([second, first], dimension)
