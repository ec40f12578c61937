"""Networks that a training is given: they come with their weights and settings, and learn nothing.

A run keeps a copy of them in `given.safetensors`, so that it goes on where their model is gone.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from ganzoo_core.blueprint import Blueprint, Given
from ganzoo_core.errors import CheckpointError, ConfigError, UnknownNameError, UnsupportedError
from ganzoo_core.files import disk_errors, whole_file
from ganzoo_core.hub.folder import assign_weights
from ganzoo_core.model import Model
from ganzoo_core.plugins.schema import VariantEntry
from ganzoo_core.text import Tokenizer

FILE = "given.safetensors"


@dataclass
class GivenNetworks:
    """Networks by role, what a blueprint says of them, and how they read captions."""

    networks: dict[str, nn.Module] = field(default_factory=dict)
    origins: dict[str, Given] = field(default_factory=dict)
    tokenizer: Tokenizer | None = None

    def add(self, name: str, entry: VariantEntry) -> None:
        """Take networks of `[ROLES=]MODEL`: those named, or all that the recipe has a place for.

        Raises:
            ConfigError: a network is given twice, or captions would be read in two ways.
            UnsupportedError: the model has no such network.
            GanzooError: the model cannot be loaded.
        """
        from ganzoo_core.zoo import load

        roles, where = split_name(name)
        model = load(where)
        known = public_model(where)
        fitting = _fitting(model, entry)
        for role in roles or fitting:
            if role not in fitting:
                raise _unfitting(role, known, model, fitting, entry)
            if role in self.networks:
                raise ConfigError(
                    f"the {role} is given twice, by {self.origins[role].model} and {known}; name "
                    "what to take of each, as in --from encoder,decoder=MODEL"
                )
            part, network = model.blueprint.networks[role], model.networks[role]
            self.networks[role] = network
            self.origins[role] = Given(known, digest_of(network), part.full_name, part.config)
            if getattr(network, "vocabulary", 0):
                self._read_as(model, role, known)
        if not fitting:
            raise _unfitting("network", known, model, fitting, entry)

    def _read_as(self, model: Model, role: str, known: str) -> None:
        """Keep the tokenizer that a network has learned to read by."""
        if model.tokenizer is None:
            raise UnsupportedError(
                f"the {role} of {known} reads captions, and its model has no tokenizer; put the "
                "one that it was trained with beside its weights, as tokenizer.json"
            )
        if self.tokenizer is not None and self.tokenizer.content != model.tokenizer.content:
            raise ConfigError(
                f"the {role} of {known} reads captions as other tokens than another network that "
                "is given; give one of them"
            )
        self.tokenizer = model.tokenizer


def given_networks(names: Sequence[str], entry: VariantEntry) -> GivenNetworks:
    """Return what a training is given, in the words of the command line: `[ROLES=]MODEL`.

    Raises:
        GanzooError: a model that cannot be loaded, or has no network that fits.
    """
    given = GivenNetworks()
    for name in names:
        given.add(name, entry)
    return given


def split_name(name: str) -> tuple[list[str], str]:
    """Split `[ROLES=]MODEL` into roles, none where all are meant, and the model's name."""
    roles, equals, model = name.partition("=")
    if not equals or Path(name).exists():
        return [], name
    return [role.strip() for role in roles.split(",")], model


def public_model(name: str) -> str:
    """Return a model's name without the folders of the machine that it lies on."""
    return Path(name).resolve().name if Path(name).exists() else name


def digest_of(network: nn.Module) -> str:
    """Return the SHA-256 of a network's weights, whatever device they are on."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        plain = tensor.detach().cpu().contiguous().flatten()
        digest.update(plain.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def fill(networks: Mapping[str, nn.Module], given: Mapping[str, nn.Module]) -> None:
    """Give fresh networks the weights of others, by role, and let them learn nothing."""
    for role, its in given.items():
        networks[role].load_state_dict(its.state_dict())
        networks[role].requires_grad_(False)


def save_given(folder: Path, given: Mapping[str, nn.Module]) -> None:
    """Write the copy that a run keeps, whole or not at all."""
    from safetensors.torch import save_file

    weights: dict[str, Tensor] = {
        f"{role}.{name}": tensor.detach().cpu().contiguous().clone()
        for role, network in given.items()
        for name, tensor in network.state_dict().items()
    }
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / FILE) as partial:
        save_file(weights, partial, metadata={"format": "pt"})


def read_given(folder: Path, blueprint: Blueprint) -> dict[str, nn.Module]:
    """Return the networks of the copy that a run keeps, by role.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    networks = blueprint.build_networks(list(blueprint.given), device="meta")
    if not networks:
        return {}
    assign_weights(networks, folder / FILE, "cpu")
    for role, network in networks.items():
        if digest_of(network) != blueprint.given[role].sha256:
            raise CheckpointError(
                f"{folder / FILE} is damaged: the {role} is not the one that the run was given; "
                "begin a new run with another --out"
            )
    return networks


def _fitting(model: Model, entry: VariantEntry) -> list[str]:
    """Return the roles that a model has a network for, of the kind that the recipe asks for."""
    return [
        role
        for role, part in entry.recipe.networks.items()
        if role in model.networks and model.blueprint.networks[role].kind == part.kind
    ]


def _unfitting(
    role: str, known: str, model: Model, fitting: Sequence[str], entry: VariantEntry
) -> UnsupportedError | UnknownNameError:
    if role not in entry.recipe.networks and fitting:
        return UnknownNameError("network", role, fitting, f"{known} for {entry.name}")
    return UnsupportedError(
        f"{known}, of {model.variant}, has no {role} for {entry.name}: it has "
        f"{', '.join(model.networks)}, and {entry.name} takes {', '.join(entry.recipe.networks)}"
    )
