"""Reads what edenton/drnet-py saves: whole modules in a dictionary, with the options of the run.

One file holds the encoders and the decoder (`netEC`, `netEP`, `netD` and `opt`), another the LSTM
(`lstm` and `opt`). Which networks they are follows from the names of their weights.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganzoo_core.components import AuthorsWeights
from ganzoo_core.errors import CheckpointError
from ganzoo_core.hub.authors_files import (
    AuthorsFile,
    Inert,
    constructor_of,
    read_authors_file,
    state_dict_of,
)

PROJECT = "edenton/drnet-py"
State = Mapping[str, Tensor]
Rules = Sequence[tuple[str, str]]
"""Patterns of the authors' names, each with ours; `#1` is the first number less one, `##1` less
two, and so on."""

CODE = ((r"c\d+\.([01])\.", r"to_code.\1."),)
DCGAN_SKIPS: Rules = ((r"c(\d+)\.main\.([01])\.", r"downs.#1.\2."), *CODE)
VGG: Rules = ((r"c(\d+)\.(\d+)\.main\.([01])\.", r"levels.#1.\2.\3."), *CODE)
RESNET: Rules = (
    (r"main\.conv1\.", "first."),
    (r"main\.bn1\.", "first_norm."),
    (r"main\.conv_out\.", "to_code.0."),
    (r"main\.bn_out\.", "to_code.1."),
)
BLOCK = {
    "conv1": "first",
    "bn1": "first_norm",
    "conv2": "second",
    "bn2": "second_norm",
    "downsample.0": "shortcut.0",
    "downsample.1": "shortcut.1",
}
LSTM: Rules = (
    (r"embed\.", "embedding."),
    (r"lstm\.(\d+)\.", r"cells.\1."),
    (r"output\.0\.", "to_pose."),
)


def read(variant: str, file: Path) -> AuthorsWeights:
    """Return the networks in `file`.

    Raises:
        CheckpointError: the file cannot be read, or is not one of this project.
    """
    found = read_authors_file(file)
    content = found.content if isinstance(found.content, Mapping) else {}
    if "lstm" in content:
        return _lstm(found)
    if not {"netEC", "netEP", "netD"} <= content.keys():
        raise CheckpointError(
            f"{file} is not a checkpoint of {PROJECT}: it has neither netEC, netEP and netD nor "
            "lstm; give the model.pth that its train_drnet.py or train_lstm.py wrote"
        )
    content_state, content_kind = _content(state_dict_of(found, "netEC"), file)
    pose_state, pose_kind = _pose(state_dict_of(found, "netEP"), file)
    decoder_state, decoder_kind = _decoder(state_dict_of(found, "netD"), file)
    skips = content_kind != "dcgan"
    if decoder_kind != content_kind:
        raise CheckpointError(
            f"{file} has the decoder of another network than its content encoder, {decoder_kind} "
            f"and {content_kind}, which do not go together"
        )
    family = content_kind.removesuffix(" with skips")
    unit = bool(constructor_of(found, "netEP").attributes.get("normalize", False))
    width, channels = _first(content_state)
    size = 4 << len({n.split(".")[1] for n in content_state if not n.startswith("to_code")})
    sizes = len(content_state["to_code.0.weight"]), len(pose_state["to_code.0.weight"])
    settings: dict[str, Any] = {
        "image_size": size,
        "channels": channels,
        "content_size": sizes[0],
        "pose_size": sizes[1],
        "skips": skips,
        "content.width": width,
        "composer.width": width,
        "pose.width": _first(pose_state)[0],
        "pose.normalize": unit,
    }
    return AuthorsWeights(
        {"content": content_state, "pose": pose_state, "composer": decoder_state},
        settings,
        f"{PROJECT} ({found.format}): content and decoder {content_kind}, pose {pose_kind}"
        f"{' of length 1' if unit else ''}, {size} pixels, {channels} channels, "
        f"content {sizes[0]}, pose {sizes[1]}{_dataset(found)}",
        components={
            "content": f"ganzoo-plugin-drnet/{family}-content",
            "pose": f"ganzoo-plugin-drnet/{pose_kind}-pose",
            "composer": f"ganzoo-plugin-drnet/{family}",
        },
    )


def _lstm(found: AuthorsFile) -> AuthorsWeights:
    state = _renamed(state_dict_of(found, "lstm"), LSTM, found.path)
    cells, inputs = state["embedding.weight"].shape
    outputs = len(state["to_pose.weight"])
    layers = len({name.split(".")[1] for name in state if name.startswith("cells.")})
    unit = bool(constructor_of(found, "lstm").attributes.get("normalize", False))
    settings = {
        "predictor.cells": cells,
        "predictor.layers": layers,
        "predictor.normalize": unit,
        "predictor.pose_size": outputs,
        "predictor.content_size": inputs - outputs,
    }
    return AuthorsWeights(
        {"predictor": state},
        settings,
        f"{PROJECT} ({found.format}): LSTM of {layers} layers of {cells} cells, pose {outputs}, "
        f"content {inputs - outputs}{', of length 1' if unit else ''}",
    )


def _content(state: State, file: Path) -> tuple[dict[str, Tensor], str]:
    if "c1.main.0.weight" in state:
        return _renamed(state, DCGAN_SKIPS, file), "dcgan with skips"
    if "c1.0.main.0.weight" in state:
        return _renamed(state, VGG, file), "vgg with skips"
    if "main.0.main.0.weight" in state:
        return _sequence(state, "downs", file), "dcgan"
    raise _unknown("content encoder", file)


def _pose(state: State, file: Path) -> tuple[dict[str, Tensor], str]:
    if "main.0.main.0.weight" in state:
        return _sequence(state, "downs", file), "dcgan"
    if "main.conv1.weight" in state:
        return _resnet(state, file), "resnet"
    raise _unknown("pose encoder", file)


def _decoder(state: State, file: Path) -> tuple[dict[str, Tensor], str]:
    last = max((int(n.split(".")[0][3:]) for n in state if n.startswith("upc")), default=0)
    first = (r"upc1\.([01])\.", r"from_codes.\1.")
    if "upc2.main.0.weight" in state:
        rules = (
            first,
            (r"upc(\d+)\.main\.([01])\.", r"ups.##1.\2."),
            (rf"upc{last}\.0\.", "to_image."),
        )
        return _renamed(state, rules, file), "dcgan with skips"
    if "upc2.0.main.0.weight" in state:
        rules = (
            first,
            (r"upc(\d+)\.(\d+)\.main\.([01])\.", r"levels.##1.\2.\3."),
            (rf"upc{last}\.1\.", "to_image."),
        )
        return _renamed(state, rules, file), "vgg with skips"
    if "main.3.main.0.weight" in state:
        final = max(int(name.split(".")[1]) for name in state)
        rules = (
            (rf"main\.{final}\.", "to_image."),
            (r"main\.([01])\.", r"from_codes.\1."),
            (r"main\.(\d+)\.main\.([01])\.", r"ups.###1.\2."),
        )
        return _renamed(state, rules, file), "dcgan"
    raise _unknown("decoder", file)


def _sequence(state: State, name: str, file: Path) -> dict[str, Tensor]:
    """Rename a stack of convolutions that ends with one to the code and its normalisation."""
    last = max(int(key.split(".")[1]) for key in state)
    rules = (
        (r"main\.(\d+)\.main\.([01])\.", rf"{name}.\1.\2."),
        (rf"main\.{last - 1}\.", "to_code.0."),
        (rf"main\.{last}\.", "to_code.1."),
    )
    return _renamed(state, rules, file)


def _resnet(state: State, file: Path) -> dict[str, Tensor]:
    plain, blocks = {}, {}
    for name, tensor in state.items():
        match = re.fullmatch(r"main\.layer(\d+)\.([01])\.(\w+(?:\.[01])?)\.(\w+)", name)
        if match and match[3] in BLOCK:
            place = 2 * (int(match[1]) - 1) + int(match[2])
            blocks[f"blocks.{place}.{BLOCK[match[3]]}.{match[4]}"] = tensor
        else:
            plain[name] = tensor
    return _renamed(plain, RESNET, file) | _counted(blocks)


def _renamed(state: State, rules: Rules, file: Path) -> dict[str, Tensor]:
    """Give weights our names.

    Raises:
        CheckpointError: one fits no rule.
    """
    own: dict[str, Tensor] = {}
    for name, tensor in state.items():
        for pattern, ours in rules:
            match = re.match(pattern, name)
            if match is None:
                continue
            shifted = re.sub(r"(#+)(\d)", partial(_less, match), ours)
            own[match.expand(shifted) + name[match.end() :]] = tensor
            break
        else:
            raise CheckpointError(
                f"{file} has the weight {name}, which no network of {PROJECT} has; it cannot be "
                "converted"
            )
    return _counted(own)


def _less(match: re.Match[str], reference: re.Match[str]) -> str:
    """Return a matched number, less as many as there are `#` before its own number."""
    return str(int(match[int(reference[2])]) - len(reference[1]))


def _counted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the counts of batches, which files of PyTorch before 0.4.1 do not have."""
    for name in [name for name in state if name.endswith("running_var")]:
        state.setdefault(name.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    return state


def _first(state: State) -> tuple[int, int]:
    """Return the width and the channels that the first convolution has."""
    weight = next(tensor for tensor in state.values() if tensor.dim() == 4)
    return int(weight.shape[0]), int(weight.shape[1])


def _dataset(found: AuthorsFile) -> str:
    options = found.content.get("opt") if isinstance(found.content, Mapping) else None
    name = options.get("dataset") if isinstance(options, Inert) else None
    return f", of {name}" if isinstance(name, str) and name.isprintable() else ""


def _unknown(what: str, file: Path) -> CheckpointError:
    return CheckpointError(
        f"the {what} in {file} is none of {PROJECT} (dcgan, dcgan_unet, vgg_unet or resnet); it "
        "cannot be converted"
    )
