"""Reads what pytorch-CycleGAN-and-pix2pix publishes: `latest_net_G_A.pth`, `horse2zebra.pth`, …

The layers of its residual generator are numbered in one sequence, and again within each block, so
that dropout within the blocks shifts the number of the second convolution, and so does a layer that
reflects or repeats the borders; which of both it does leaves no trace. PyTorch-GAN numbers the same
network in the same way, calls the sequence of a block by another name, and doubles the resolution
by convolutions of repeated pixels, whose kernels have inputs and outputs the other way round.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from ganzoo_plugin_pix2pix.checkpoints import (
    PROJECT,
    Layers,
    Network,
    State,
    opened,
    patchgan,
    unet,
    unknown,
)
from ganzoo_plugin_pix2pix.pytorch_gan import PROJECT as PYTORCH_GAN
from ganzoo_plugin_pix2pix.pytorch_gan import patchgan as pytorch_gan_patchgan

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError

ONE_WAY = "cyclegan-one-way"
UNET = "ganzoo-plugin-pix2pix/unet"
ROLES = {
    PROJECT: {"G_A": "ab", "G_B": "ba", "D_A": "discriminator_b", "D_B": "discriminator_a"},
    PYTORCH_GAN: {"G_AB": "ab", "G_BA": "ba", "D_A": "discriminator_a", "D_B": "discriminator_b"},
}
"""What the projects call the networks. The D_A of the first judges what G_A makes, which are images
of B; that of the second judges images of A."""

# By the numbers of a block's two convolutions: its borders, and whether it has dropout.
_BLOCKS = {
    (1, 5): ("reflect", False),
    (1, 6): ("reflect", True),
    (0, 3): ("zeros", False),
    (0, 4): ("zeros", True),
}


def read(variant: str, file: Path) -> AuthorsWeights:
    """Return CycleGAN's generator or discriminator in `file`; its name says which one it is.

    Raises:
        CheckpointError: the file cannot be read, is no such network of this project, or does not
            say which of the two generators or discriminators it is.
    """
    state, described = opened(file)
    network = (
        resnet(state, file)
        or unet(state)
        or pytorch_gan_patchgan(state, pairs=False)
        or patchgan(state)
    )
    if network is None:
        raise unknown(file, "a ResNet, a U-Net or a PatchGAN", state)
    role = _role(variant, network, file)
    component = UNET if network.kind == "unet" else ""
    return network.weights(role, described, file, component=component)


def resnet(state: State, file: Path) -> Network | None:
    """Recognise a residual generator.

    Raises:
        CheckpointError: it is one, with an option that there is not here.
    """
    layers = Layers(state)
    inner: dict[int, list[int]] = {}
    outer: list[int] = []
    block = ""
    for name, tensor in state.items():
        match = re.fullmatch(r"model\.(\d+)(?:\.((?:conv_)?block)\.(\d+))?\.weight", name)
        if match is None or tensor.dim() != 4:
            continue
        if match[2]:
            block = match[2]
            inner.setdefault(int(match[1]), []).append(int(match[3]))
        else:
            outer.append(int(match[1]))
    if not inner or len(outer) != 6:
        return None
    positions = {tuple(sorted(each)) for each in inner.values()}
    if len(positions) != 1 or not positions <= _BLOCKS.keys():
        raise CheckpointError(
            f"{file} is a ResNet whose blocks have layers that those of {PROJECT} do not have; it "
            "cannot be converted"
        )
    ((first, second),) = positions
    padding, drops = _BLOCKS[first, second]
    names = [f"model.{number}" for number in sorted(outer)]
    after = [f"model.{number + 1}" for number in sorted(outer)]
    kind = layers.normalization(names[0], after[0])
    own: State = {}
    ours = ["downs.0", "downs.1", "downs.2", "ups.0", "ups.1"]
    width, channels = state[f"{names[0]}.weight"].shape[:2]
    nearest = state[f"{names[3]}.weight"].shape[1] == 4 * width
    if block == "block" and channels != 3:
        raise CheckpointError(
            f"{file} is a ResNet of {PYTORCH_GAN} for {channels} channels, which reflects as many "
            "pixels before kernels of 7 and makes its images smaller; it cannot be converted"
        )
    for name, following, its in zip(names, after, ours, strict=False):
        transposed = its.startswith("ups") and not nearest
        maps = state[f"{name}.weight"].shape[1 if transposed else 0]
        own |= layers.taken(name, following, kind, its, maps)
    for number, place in enumerate(sorted(inner)):
        for part, position in (("first", first), ("second", second)):
            name = f"model.{place}.{block}.{position}"
            following = f"model.{place}.{block}.{position + 1}"
            maps = state[f"{name}.weight"].shape[0]
            own |= layers.taken(name, following, kind, f"blocks.{number}.{part}", maps)
    last = state[f"{names[-1]}.weight"]
    own["to_image.weight"] = last
    own["to_image.bias"] = state.get(f"{names[-1]}.bias", torch.zeros(len(last)))
    blocks = len(inner)
    project = PYTORCH_GAN if block == "block" else PROJECT
    options: dict[str, str] = {}
    words = f"{'trained with' if drops else 'without'} dropout"
    if padding == "zeros":
        options["padding"] = padding
        words += ", zeros beyond the borders of the blocks"
    elif project == PROJECT:
        words += (
            ", reflected borders of the blocks assumed, since a file does not tell them from "
            "repeated ones (--set padding=replicate)"
        )
    if nearest:
        options["upsampling"] = "nearest"
        words += ", doubled by repeated pixels"
    return Network(
        "resnet",
        own,
        {
            # As the papers use them; any multiple of four will do.
            "image_size": 128 if blocks == 6 else 256,
            "channels": channels,
            "width": width,
            "blocks": blocks,
            "normalization": kind,
            "dropout": 0.5 if drops else 0.0,
            **options,
        },
        f"ResNet generator of {blocks} blocks, {channels} channels, width {width}, "
        f"{layers.shown(kind)}, {words}",
        project,
    )


def _role(variant: str, network: Network, file: Path) -> str:
    roles, discriminates = ROLES[network.project], network.kind == "patchgan"
    named = re.search(rf"(?<![A-Za-z0-9])({'|'.join(roles)})(?![A-Za-z0-9])", file.name)
    if named and discriminates == named[1].startswith("D"):
        role = roles[named[1]]
        return "ab" if variant == ONE_WAY and role == "ba" else role
    if discriminates:
        raise CheckpointError(
            f"the name of {file} does not say which discriminator it is; name it "
            f"{_name(roles, 'discriminator_b')} if it judges images of B, else "
            f"{_name(roles, 'discriminator_a')}"
        )
    if variant == ONE_WAY:
        return "ab"
    raise CheckpointError(
        f"the name of {file} does not say which way its generator translates; name it "
        f"{_name(roles, 'ab')} if from A to B, else {_name(roles, 'ba')}, or convert it alone, as "
        f"--variant {ONE_WAY}"
    )


def _name(roles: Mapping[str, str], role: str) -> str:
    return next(f"latest_net_{named}.pth" for named, its in roles.items() if its == role)
