"""Models by name: listed, created, loaded, and exchanged with the Hub and with other zoos."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ganzoo_core.errors import DataError, RunError, UnknownNameError
from ganzoo_core.plugins import read_installed

if TYPE_CHECKING:
    from ganzoo_core.hub.files import Progress
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.pretrained import Weights
    from ganzoo_core.hub.upload import Published
    from ganzoo_core.model import Model
    from ganzoo_core.plugins import Installed


def list_variants(pattern: str = "*") -> list[str]:
    """Return the names of the installed variants that match a wildcard, such as `*gan*`."""
    return [name for name in _primary_names() if fnmatchcase(name, pattern)]


def create(
    variant: str,
    *,
    preset: str | None = None,
    components: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "cpu",
    **settings: Any,
) -> "Model":
    """Build a variant's networks with fresh weights.

    Args:
        variant: name of an installed variant.
        preset: name of one of its presets.
        components: other components for the recipe, such as `{"generator": "stylegan"}`.
        seed: of the initial weights.
        device: where to put them.
        settings: hyper-parameters; `image_size=32` sets every part that has it, and
            `generator={"width": 32}` one part.

    Raises:
        GanzooError: an unknown name, a value that a setting cannot have, or a broken plugin.
    """
    from ganzoo_core.blueprint import draw_up
    from ganzoo_core.model import Model
    from ganzoo_core.training.processes import find_device

    chosen = settings | {"training.seed": seed}
    blueprint = draw_up(read_installed(), variant, chosen, components=components, preset=preset)
    return Model(blueprint, blueprint.build_networks()).to(find_device(device))


def load(name: str | Path, *, pretrained: str | None = None, device: str = "cpu") -> "Model":
    """Load a trained model; all files of pinned weights are verified, and none can run code.

    Weights whose authors published them in a layout of their own are converted in memory; what was
    recognised, and what is not known of them, is in `origin.remarks`.

    Args:
        name: a run's or a model's folder, a pretrained tag (`dcgan.mnist`, or `dcgan` for its
            first), or a Hub repository (`org/name` or `org/name@revision`).
        pretrained: another way to name the tag of a variant.
        device: where to put the weights.

    Raises:
        GanzooError: there is no such model, it is damaged, or a plugin that it needs is missing.
    """
    from ganzoo_core.hub.convert import load_published
    from ganzoo_core.hub.folder import read_model_folder
    from ganzoo_core.training.processes import find_device

    installed = read_installed()
    weights = _declared(installed, name, pretrained)
    if weights is not None and weights.by_authors:
        return load_published(installed, weights).to(find_device(device))
    folder, origin = _located(installed, name, pretrained)
    return read_model_folder(installed, folder, origin, device=find_device(device))


def fetch(name: str, *, progress: "Progress | None" = None) -> "Origin":
    """Download weights, so that they can be loaded without a network later.

    Args:
        name: a pretrained tag or a Hub repository, as for `load`.
        progress: called with a file's path, the bytes that arrived and those that there are.

    Returns:
        where they are now.

    Raises:
        HubError: they cannot be had, or are damaged.
    """
    return _located(read_installed(), name, None, progress)[1]


def publish(
    model: str | Path,
    repo: str,
    *,
    private: bool = False,
    tag: str | None = None,
) -> "Published":
    """Put a run's model, or a model folder, on the Hub.

    The folder is loaded first, so that what is published can be loaded. Publishing again without a
    change does nothing.

    Args:
        model: a run's folder or a model folder.
        repo: `org/name` on the Hub, created where there is none.
        private: for a new repository.
        tag: a tag for this version, such as `v1`.

    Raises:
        GanzooError: the folder is no model, or the Hub refuses.
    """
    from ganzoo_core.hub.folder import read_model_folder
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.upload import publish_folder

    folder, _ = _in_folder(Path(model))
    loaded = read_model_folder(read_installed(), folder, Origin("folder", str(folder)))
    message = f"{loaded.variant}, made with ganzoo"
    return publish_folder(folder, repo, private=private, tag=tag, message=message)


def convert(
    files: Sequence[str | Path],
    variant: str,
    out: str | Path,
    *,
    license: str = "other",
    settings: Mapping[str, Any] | None = None,
) -> "tuple[Model, list[str]]":
    """Turn the authors' published checkpoints into a model folder, executing nothing in them.

    Args:
        files: the published files, one or more networks in all.
        variant: which variant they are of.
        out: the model folder to write.
        license: SPDX identifier of the weights' licence, for the card.
        settings: hyper-parameters by dotted path that no file knows, such as how to translate; they
            win over what the files imply.

    Returns:
        the model, and a sentence for each file that says what was recognised in it.

    Raises:
        GanzooError: a file that cannot be read, is hostile, or is of an unknown layout.
    """
    from ganzoo_core.hub.card import Card
    from ganzoo_core.hub.convert import convert as convert_files

    out = Path(out)
    if out.exists():
        raise RunError(f"{out} exists already; choose another place for the model")
    names = ", ".join(Path(file).name for file in files)
    card = Card(
        license=license.lower(),
        training=f"Converted from the published checkpoint {names}; trained by its authors.",
    )
    paths = [Path(file) for file in files]
    asked = dict(settings or {})
    return convert_files(read_installed(), paths, variant, out, card, asked)


def _located(
    installed: "Installed",
    name: str | Path,
    tag: str | None,
    progress: "Progress | None" = None,
) -> "tuple[Path, Origin]":
    """Find a model: on this disk, among the installed plugins' tags, or on the Hub."""
    from ganzoo_core.hub.card import read_license
    from ganzoo_core.hub.files import fetch_repository
    from ganzoo_core.hub.origin import Origin
    from ganzoo_core.hub.pretrained import obtain

    weights = _declared(installed, name, tag)
    if weights is not None:
        return obtain(weights, progress)
    if Path(name).exists() and tag is None:
        return _in_folder(Path(name))
    repo, _, revision = str(name).partition("@")
    fetched = fetch_repository(repo, revision or None, progress=progress)
    where = f"{repo}@{fetched.revision[:12]}"
    stated = read_license(fetched.folder / "README.md")
    return fetched.folder, Origin(fetched.from_, where, fetched.verified, stated)


def _declared(installed: "Installed", name: str | Path, tag: str | None) -> "Weights | None":
    """Return the weights that an installed plugin declares under a name; None for other models."""
    from ganzoo_core.hub.pretrained import find_weights

    if Path(name).exists() and tag is None:
        return None
    text = str(name)
    owner, slash, _ = text.partition("@")[0].partition("/")
    a_plugins = owner in {plugin.distribution for plugin in installed.plugins}
    if slash and not a_plugins and text.count("/") == 1 and not text.startswith((".", "~")):
        return None
    try:
        return find_weights(installed, text, tag)
    except UnknownNameError as error:
        if error.kind != "variant":
            raise
        raise UnknownNameError("model", text, _primary_names()) from None


def _in_folder(path: Path) -> "tuple[Path, Origin]":
    from ganzoo_core.hub.card import read_license
    from ganzoo_core.hub.origin import Origin

    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            place: Literal["run", "folder"] = "folder" if folder == path else "run"
            return folder, Origin(place, str(folder), license=read_license(folder / "README.md"))
    if (path / "run.json").is_file():
        raise RunError(
            f"{path} has no trained model yet; finish it with: ganzoo train --resume {path}"
        )
    raise DataError(f"{path} is neither a run nor a model folder: it has no config.json")


def _primary_names() -> list[str]:
    return [
        variant.full_name if variant.short_name_taken_by else variant.name
        for variant in read_installed().variants()
    ]
