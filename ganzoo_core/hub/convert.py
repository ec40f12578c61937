"""Authors' published checkpoints as models, through the plugin that knows their layout."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganzoo_core.blueprint import draw_up
from ganzoo_core.errors import CheckpointError, UnsupportedError
from ganzoo_core.hub.card import Card
from ganzoo_core.hub.files import Progress
from ganzoo_core.hub.folder import write_model_folder
from ganzoo_core.hub.origin import Origin
from ganzoo_core.hub.pretrained import Weights, obtain
from ganzoo_core.model import Model
from ganzoo_core.plugins import Installed, load_plugin
from ganzoo_core.settings import Settings

if TYPE_CHECKING:
    from torch import nn


def convert(
    installed: Installed,
    files: Sequence[Path],
    variant: str,
    out: Path,
    card: Card,
    asked: Settings | None = None,
) -> tuple[Model, list[str]]:
    """Read published files and write one model folder; nothing in the files is executed.

    `asked` are settings that no file knows, which win over those that the files imply.

    Returns:
        the model, and a sentence for each file that says what was recognised in it.

    Raises:
        CheckpointError: a file cannot be read, is of no known layout, two files are of the same
            network, or a network that the model needs is in none of them.
        UnsupportedError: the plugin reads no published checkpoints.
    """
    origin = Origin("folder", str(out), license=card.license)
    model, recognised = read(installed, files, variant, origin, asked)
    write_model_folder(model, out, card)
    return model, recognised


def load_published(
    installed: Installed, weights: Weights, progress: Progress | None = None
) -> Model:
    """Load the files that a tag's authors published, once they are at hand and as pinned.

    Raises:
        HubError: they cannot be had, or have changed.
        CheckpointError, UnsupportedError: as for `convert`.
    """
    folder, origin = obtain(weights, progress)
    files = [folder / file.path for file in weights.files]
    model, recognised = read(installed, files, weights.variant.full_name, origin)
    remarks = (*origin.remarks, *(f"recognised {sentence}" for sentence in recognised))
    model.origin = replace(origin, remarks=remarks)
    return model


def read(
    installed: Installed,
    files: Sequence[Path],
    variant: str,
    origin: Origin,
    asked: Settings | None = None,
) -> tuple[Model, list[str]]:
    """Read published files as a model, as `convert` does, and write nothing."""
    found = installed.variant(variant)
    hooks = load_plugin(found.plugin)
    if "ganzoo_read_checkpoint" not in hooks.implemented:
        raise UnsupportedError(
            f"{found.plugin.distribution} reads no published checkpoints of {found.name}"
        )
    states: dict[str, Mapping[str, Tensor]] = {}
    settings: dict[str, Any] = {}
    components: dict[str, str] = {}
    recognised = []
    for file in files:
        weights = hooks.read_checkpoint(found.name, file)
        twice = states.keys() & weights.networks.keys()
        if twice:
            raise CheckpointError(f"{file} holds the {twice.pop()} again; give each network once")
        states |= weights.networks
        settings |= weights.settings
        components |= weights.components
        recognised.append(f"{file.name}: {weights.recognised}")
    blueprint = draw_up(installed, found.full_name, settings | (asked or {}), components=components)
    recipe = blueprint.entry.recipe
    needed = [role for role in recipe.inference if role not in recipe.optional]
    missing = [role for role in needed if role not in states]
    if missing:
        raise CheckpointError(
            f"the {missing[0]} of {found.name} is in none of these files; give its file too"
        )
    networks = blueprint.build_networks(list(states), device="meta")
    for role, network in networks.items():
        _fill(network, states[role], role)
    return Model(blueprint, networks, origin), recognised


def _fill(network: "nn.Module", state: Mapping[str, Tensor], role: str) -> None:
    wanted = network.state_dict()
    try:
        own = {
            name: tensor.to(wanted[name].dtype) if name in wanted else tensor
            for name, tensor in state.items()
        }
        network.load_state_dict(own, assign=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"the file's {role} does not fit the network that its shapes imply ({reason})"
        ) from None
    network.requires_grad_(False).eval()
