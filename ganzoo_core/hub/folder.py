"""A model folder: the layout that runs, plugins and the Hub share.

config.json          pure data: variant, plugin, versions, every component with its settings, and
                     the names of its classes, where they have any
model.safetensors    the inference networks, keys prefixed by role: `generator.…`
discriminator.safetensors   other networks, where it keeps any, in the same way
README.md            the model card
samples.png          what it draws
tokenizer.json       how captions become tokens, where the model takes any
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganzoo_core import images
from ganzoo_core.blueprint import Blueprint, restore
from ganzoo_core.errors import CheckpointError
from ganzoo_core.files import read_json, whole_folder, write_json
from ganzoo_core.hub.files import MODEL_FILES
from ganzoo_core.hub.origin import Origin
from ganzoo_core.model import Model
from ganzoo_core.plugins import Installed
from ganzoo_core.plugins.schema import Recipe
from ganzoo_core.text import Tokenizer, text_shape

if TYPE_CHECKING:
    from ganzoo_core.hub.card import Card

CONFIG, WEIGHTS, DISCRIMINATOR, CARD, SAMPLES, TOKENIZER = MODEL_FILES
SAMPLES_SEED = 0
SAMPLES_COUNT = 64


def write_model_folder(
    model: Model, folder: Path, card: "Card | None" = None, *, half: bool = False
) -> Path:
    """Write a model with its card and samples, whole or not at all.

    `half` stores half-precision numbers, which loading widens again.

    Raises:
        RunError: the place cannot be written.
    """
    from ganzoo_core.hub.card import Card, render_card

    kept = [role for role in model.blueprint.entry.recipe.inference if role in model.networks]
    others = [role for role in model.networks if role not in kept]
    with whole_folder(folder) as partial:
        names = {"class_names": list(model.class_names)} if model.class_names else {}
        write_json(partial / CONFIG, model.blueprint.to_json() | names)
        _save_weights(model, kept, partial / WEIGHTS, half)
        if others:
            _save_weights(model, others, partial / DISCRIMINATOR, half)
        if model.tokenizer is not None:
            model.tokenizer.save(partial / TOKENIZER)
        if "sample" in model.verbs:
            images.save(model.sample(SAMPLES_COUNT, seed=SAMPLES_SEED), partial / SAMPLES)
        text = render_card(model, card or Card())
        (partial / CARD).write_text(text, encoding="utf-8")
    return folder


def _save_weights(model: Model, roles: Sequence[str], file: Path, half: bool) -> None:
    from safetensors.torch import save_file

    weights = {
        f"{role}.{name}": _stored(tensor, half)
        for role in roles
        for name, tensor in model.networks[role].state_dict().items()
    }
    save_file(weights, file, metadata={"format": "pt"})


def _stored(tensor: Tensor, half: bool) -> Tensor:
    plain = tensor.detach().cpu().contiguous()
    return plain.half() if half and plain.is_floating_point() else plain


def read_model_folder(
    installed: Installed,
    folder: Path,
    origin: Origin | None = None,
    *,
    device: torch.device | str = "cpu",
) -> Model:
    """Load a model: built without memory, then given the weights of the memory-mapped file.

    Raises:
        CheckpointError: missing or unexpected weights, wrong shapes, or a damaged file.
        GanzooError: a plugin that it needs is missing, or the config is malformed.
    """
    config = read_json(folder / CONFIG)
    blueprint = restore(installed, config, str(folder / CONFIG))
    roles = _kept_roles(blueprint.entry.recipe, folder / WEIGHTS)
    networks = blueprint.build_networks(roles, device="meta")
    assign_weights(networks, folder / WEIGHTS, device)
    if (folder / DISCRIMINATOR).is_file():
        roles = _roles_in(folder / DISCRIMINATOR, blueprint)
        others = blueprint.build_networks(roles, device="meta")
        assign_weights(others, folder / DISCRIMINATOR, device)
        networks |= others
    tokenizer = _tokenizer(networks, folder / TOKENIZER)
    place = origin or Origin("folder", str(folder))
    return Model(blueprint, networks, place, tokenizer, _class_names(config, folder / CONFIG))


def _class_names(config: Mapping[str, Any], file: Path) -> list[str]:
    names = config.get("class_names", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{file} is damaged: class_names must be a list of names")
    return names


def _kept_roles(recipe: Recipe, file: Path) -> list[str]:
    """Return the networks that a model has: those of the recipe, unless they are optional."""
    from safetensors import SafetensorError, safe_open

    if not recipe.optional:
        return list(recipe.inference)
    try:
        with safe_open(file, framework="pt") as weights:
            there = {name.partition(".")[0] for name in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return list(recipe.inference)  # whoever reads the weights says what is wrong with them
    return [role for role in recipe.inference if role in there or role not in recipe.optional]


def _tokenizer(networks: Mapping[str, nn.Module], file: Path) -> Tokenizer | None:
    """Read how captions become tokens; converted models of captions may not know."""
    shape = text_shape(networks)
    if shape is None or not file.is_file():
        return None
    tokenizer = Tokenizer.read(file)
    if tokenizer.size > shape[0]:
        raise CheckpointError(
            f"{file} has {tokenizer.size} tokens and the model knows {shape[0]}; get the model "
            "again"
        )
    return tokenizer


def _roles_in(file: Path, blueprint: Blueprint) -> list[str]:
    """Return the roles of the networks whose weights a file holds."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as weights:
            found = {key.partition(".")[0] for key in weights.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged and cannot be read ({error})") from None
    unknown = sorted(found - blueprint.entry.recipe.networks.keys())
    if unknown:
        raise CheckpointError(
            f"{file} has weights of {unknown[0]!r}, and the networks of {blueprint.entry.name} are "
            f"{', '.join(blueprint.entry.recipe.networks)}"
        )
    return [role for role in blueprint.entry.recipe.networks if role in found]


ALIGNMENT = 64
"""Bytes at whose multiples PyTorch's own memory begins."""


def assign_weights(
    networks: Mapping[str, nn.Module], file: Path, device: torch.device | str
) -> None:
    """Give networks that were built on the meta device their weights, without a second copy.

    Raises:
        CheckpointError: the file does not hold exactly the weights that the networks have.
    """
    from safetensors import SafetensorError, safe_open

    expected = {
        f"{role}.{name}": tensor
        for role, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    try:
        with safe_open(file, framework="pt", device=str(device)) as weights:
            found = set(weights.keys())
            _check_keys(expected.keys() - found, found - expected.keys(), file)
            for role, network in networks.items():
                state: dict[str, Tensor] = {}
                for name in network.state_dict():
                    key = f"{role}.{name}"
                    tensor = weights.get_tensor(key)
                    _check_shape(key, expected[key], tensor, file)
                    # Half-precision files widen to what the network computes in. A tensor that
                    # is mapped where its bytes happen to lie is multiplied in another order than
                    # one in memory of PyTorch's own, which begins at multiples of 64 bytes.
                    its = tensor.to(expected[key].dtype)
                    state[name] = its.clone() if its.data_ptr() % ALIGNMENT else its
                network.load_state_dict(state, assign=True)
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing; {file.parent} is not a whole model") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged and cannot be read ({error})") from None
    for role, network in networks.items():
        network.requires_grad_(False).eval()
        left = [name for name, tensor in _tensors_of(network) if tensor.is_meta]
        if left:
            raise CheckpointError(
                f"the network {role!r} keeps {left[0]!r} outside of its state dict, so it cannot "
                "be loaded; its author must make it a persistent buffer"
            )


def _tensors_of(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [*network.named_parameters(), *network.named_buffers()]


def _check_keys(missing: set[str], unexpected: set[str], file: Path) -> None:
    if not missing and not unexpected:
        return
    said = []
    if missing:
        said.append(f"{len(missing)} weights are missing ({_listed(missing)})")
    if unexpected:
        said.append(f"{len(unexpected)} are not this model's ({_listed(unexpected)})")
    raise CheckpointError(f"{file} does not fit its config.json: {' and '.join(said)}")


def _listed(names: set[str]) -> str:
    first = sorted(names)[:3]
    return ", ".join(first) + (", …" if len(names) > 3 else "")


def _check_shape(key: str, expected: Tensor, found: Tensor, file: Path) -> None:
    kinds_agree = expected.is_floating_point() == found.is_floating_point()
    if expected.shape != found.shape or not kinds_agree:
        raise CheckpointError(
            f"{file} does not fit its config.json: {key} is {_described(found)} "
            f"and must be {_described(expected)}"
        )


def _described(tensor: Tensor) -> str:
    sizes: Any = list(tensor.shape)
    return f"{str(tensor.dtype).removeprefix('torch.')} {sizes}"
