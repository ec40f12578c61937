"""The manifest's pydantic models: the authority on what `ganzoo-plugin.json` may say.

Everything that only looks reads the JSON directly; these models check it wherever a plugin is
loaded, checked or listed, and publish the JSON schema that editors use.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins.installed import KINDS, Kind

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
"""Lower-case words and digits, joined by single hyphens."""

ComponentName = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*/)?[a-z0-9]+(-[a-z0-9]+)*$")
]
"""A component's name, alone or as `distribution/name`."""

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
"""What a network is called within its variant, such as `generator` or `disc_a`."""

Settings = dict[str, Any]
"""Hyper-parameters by dotted path (`generator.width`), or undotted for every part that has one."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Paper(_Entry):
    """Where the method comes from."""

    title: str
    authors: str
    year: int = Field(ge=1900, le=2200)
    url: str = Field(pattern=r"^https://")
    venue: str = ""


class Part(_Entry):
    """A network of the recipe: which component plays this role."""

    kind: Literal["generator", "discriminator", "encoder"]
    component: ComponentName


class Recipe(_Entry):
    """Which components a variant puts together."""

    networks: dict[Role, Part] = Field(min_length=1)
    loss: ComponentName | None = None
    trainer: ComponentName
    inference: list[Role] = Field(min_length=1)
    """The networks that a trained model keeps, in the order in which its card lists them."""


class Preset(_Entry):
    """Settings under one name, for a data set or a use."""

    summary: str
    settings: Settings


class PretrainedFile(_Entry):
    """One file of a pretrained model, pinned."""

    path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    size: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Pretrained(_Entry):
    """Weights under a tag: where they are, what they are, and under which licence."""

    tag: Name
    summary: str
    license: str
    """SPDX identifier of the weights' licence, which need not be that of the code."""
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    shipped: str | None = Field(default=None, pattern=r"^pretrained/[a-z0-9-]+$")
    """Folder within the plugin's package, where it ships these weights."""
    files: list[PretrainedFile] = Field(min_length=1)


class Claim(_Entry):
    """A headline number of the paper, and how to measure it here."""

    metric: str
    data: str
    value: float
    spread: float | None = None
    unit: str = ""
    source: str
    """Where it stands in the paper: section, table, page."""
    differs: str = ""
    """What may differ between the paper's measurement and ours."""
    command: str
    small_command: str = ""
    """A smaller budget, for two CPU cores."""


class VariantEntry(_Entry):
    """A variant of the zoo: a recipe over named components, and what is known about it."""

    name: Name
    aliases: list[Name] = []
    title: str
    summary: str
    paper: Paper
    family: Name
    task: Name
    """What it is for, in the Hub's terms where it has one (`unconditional-image-generation`)."""
    verbs: list[Name]
    recipe: Recipe
    image_sizes: list[int] | None = None
    """Side lengths in pixels that its networks can have; absent where any will do."""
    defaults: Settings = {}
    """Settings that this variant gives components which it shares with others."""
    presets: dict[Name, Preset] = {}
    tiny: Settings
    """Settings that make it small enough for the conformance kit to train within seconds."""
    no_export: str = ""
    """Why `torch.export` cannot take its generator; empty where it can."""
    pretrained: list[Pretrained] = []
    claims: list[Claim] = []


class ComponentEntry(_Entry):
    """A named component that a plugin brings."""

    name: Name
    summary: str


class Components(_Entry):
    """The named components of a plugin, by kind."""

    generators: list[ComponentEntry] = []
    discriminators: list[ComponentEntry] = []
    encoders: list[ComponentEntry] = []
    losses: list[ComponentEntry] = []
    trainers: list[ComponentEntry] = []

    def of(self, kind: Kind) -> list[ComponentEntry]:
        """Return the components of one kind."""
        entries: list[ComponentEntry] = getattr(self, KINDS[kind])
        return entries


class Manifest(_Entry):
    """What a plugin has, readable without running it."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="ganzoo plugin manifest")

    schema_url: str = Field(default="", alias="$schema")
    api: str = Field(pattern=r"^\d{1,4}\.\d{1,4}$")
    variants: list[VariantEntry] = []
    components: Components = Components()


def check_manifest(data: object, where: str) -> Manifest:
    """Check a manifest in full and return its model.

    Raises:
        PluginError: it says something that a manifest cannot say; the message names the path.
    """
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        raise _malformed(error, where) from None


def manifest_json_schema() -> dict[str, Any]:
    """Return the JSON schema of manifests, for editors and validators."""
    return Manifest.model_json_schema(by_alias=True)


def read_checked_manifest(path: Path) -> Manifest:
    """Read and check the manifest at `path`.

    Raises:
        PluginError: it cannot be read, is not JSON, or is malformed.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise PluginError(f"the manifest {path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise _malformed(error, str(path)) from None


def _malformed(error: ValidationError, where: str) -> PluginError:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"]) or "the file"
    return PluginError(f"the manifest {where} is malformed at {path}: {first['msg'].lower()}")
