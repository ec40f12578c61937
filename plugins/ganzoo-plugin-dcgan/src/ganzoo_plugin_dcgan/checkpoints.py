"""Reads DCGANs as the PyTorch examples publish them: `netG_epoch_*.pth`, `netD_epoch_*.pth`.

A state dict with the keys `main.0.weight`, `main.1.weight`, …, numbered through the layers of one
sequence; ports put another word, or more, before the numbers. Widths, sizes and channels are read
from the shapes.
"""

import re
from itertools import pairwise
from pathlib import Path

from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import read_authors_file, state_dict_of

State = dict[str, Tensor]


def read(file: Path) -> AuthorsWeights:
    """Return the generator or the discriminator in `file`.

    Raises:
        CheckpointError: the file cannot be read, or is no DCGAN of this layout.
    """
    content = read_authors_file(file)
    try:
        state = _numbered(state_dict_of(content))
    except CheckpointError as error:
        raise _unknown(file, str(error).partition(";")[0]) from None
    kernels = [tensor for tensor in state.values() if tensor.dim() == 4]
    if any(tuple(kernel.shape[2:]) != (4, 4) for kernel in kernels) or len(kernels) < 3:
        raise _unknown(file, "its convolutions are not all of 4x4 pixels")
    described = f"{content.format}, PyTorch examples' DCGAN"
    image_size = 4 * 2 ** (len(kernels) - 1)
    if kernels[-1].shape[0] == 1 and all(a.shape[0] == b.shape[1] for a, b in pairwise(kernels)):
        width, channels = kernels[0].shape[:2]
        last = f"features.{3 * len(kernels) - 4}."
        renamed = {
            name.replace(last, "to_logit."): tensor
            for name, tensor in (("features." + key, value) for key, value in state.items())
        }
        settings: dict[str, int | str] = {"discriminator.width": width}
        role, networks = "discriminator", renamed
    elif all(a.shape[1] == b.shape[0] for a, b in pairwise(kernels)):
        latent_size, width, channels = kernels[0].shape[0], *kernels[-1].shape[:2]
        settings = {
            "generator.width": width,
            "generator.latent_size": latent_size,
            "generator.prior": "normal",
        }
        role, networks = "generator", {"layers." + key: value for key, value in state.items()}
    else:
        raise _unknown(file, "its convolutions do not follow one another")
    settings |= {"image_size": image_size, "channels": channels}
    recognised = (
        f"{described} {role}, {image_size}x{image_size} pixels, {channels} channels, width {width}"
    )
    return AuthorsWeights({role: networks}, settings, recognised, file)


def _numbered(state: State) -> State:
    """Return the state dict without what stands before the layers' numbers."""
    numbered = {}
    for name, tensor in state.items():
        match = re.fullmatch(r"(?:[A-Za-z_]\w*\.)*(\d+\.\w+)", name)
        if match is None:
            raise CheckpointError(f"it has the key {name!r}")
        numbered[match[1]] = tensor
    if len(numbered) != len(state):
        raise CheckpointError("it holds more than one network")
    return dict(sorted(numbered.items(), key=lambda item: int(item[0].partition(".")[0])))


def _unknown(file: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{file} is not a DCGAN in the layout of the PyTorch examples: {why}; "
        "other layouts are not read"
    )
