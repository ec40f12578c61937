"""The manifest's pydantic models: the authority on what `ganzoo-plugin.json` may say.

Everything that only looks reads the JSON directly; these models check it wherever a plugin is
loaded, checked or listed, and publish the JSON schema that editors use.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ganzoo_core.errors import PluginError
from ganzoo_core.plugins.installed import DEFAULT_SEEDS, KINDS, Kind

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
"""Lower-case words and digits, joined by single hyphens."""

ComponentName = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]+(-[a-z0-9]+)*/)?[a-z0-9]+(-[a-z0-9]+)*(:[\w.-]+)?$")
]
"""A component's name, alone or as `distribution/name`, with its argument where it takes one."""

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

    kind: Literal[
        "generator",
        "discriminator",
        "code_discriminator",
        "encoder",
        "composer",
        "predictor",
        "prior",
        "reranker",
    ]
    component: ComponentName


class Recipe(_Entry):
    """Which components a variant puts together."""

    networks: dict[Role, Part] = Field(min_length=1)
    loss: ComponentName | None = None
    regularizers: list[ComponentName] = []
    """Penalties and constraints beside the loss, each with settings under its own name."""
    trainer: ComponentName
    inference: list[Role] = Field(min_length=1)
    """The networks that a trained model keeps, in the order in which its card lists them."""
    optional: list[Role] = []
    """Those of them that a converted model may lack, since no published file holds them."""


class Preset(_Entry):
    """Settings under one name, for a data set or a use."""

    summary: str
    settings: Settings


class PretrainedFile(_Entry):
    """One file of a pretrained model, pinned as far as is known."""

    path: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")
    size: int | None = Field(default=None, ge=1)
    """Bytes; only of authors' files may it be unknown, and the hash too."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")


class Pretrained(_Entry):
    """Weights under a tag: where they are, what they are, and under which licence."""

    tag: Name
    summary: str
    license: str
    """SPDX identifier of the weights' licence, which need not be that of the code."""
    layout: Literal["ganzoo", "authors"] = "ganzoo"
    """Whether the files are a model folder, or what the authors published, which the plugin reads
    (`ganzoo_read_checkpoint`) without executing anything in it."""
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^\w[\w./-]*$")
    """The commit; where the authors' is not known, a branch or tag."""
    shipped: str | None = Field(default=None, pattern=r"^pretrained/[a-z0-9-]+$")
    """Folder within the plugin's package, where it ships these weights."""
    files: list[PretrainedFile] = Field(min_length=1)
    untried: str = ""
    """What has not been tried with these weights, in a clause for people."""

    @model_validator(mode="after")
    def _is_pinned_or_says_what_is_not(self) -> Self:
        known = all(file.size and file.sha256 for file in self.files)
        if self.layout == "ganzoo":
            if not known:
                raise PydanticCustomError(
                    "pin", "size and sha256 of a file may be unknown only where layout is authors"
                )
            if self.revision and not re.fullmatch(r"[0-9a-f]{40}", self.revision):
                raise PydanticCustomError("pin", "revision must be the 40 digits of a commit")
        elif self.shipped or not (self.repo and self.revision):
            raise PydanticCustomError(
                "pin", "what the authors published is at a repo and revision, not shipped"
            )
        elif not (known or self.untried):
            raise PydanticCustomError(
                "pin", "files without size or sha256 must say in untried what was not tried"
            )
        return self


class ClaimRun(_Entry):
    """A training and its evaluation by which a claim is measured."""

    preset: Name | None = None
    components: dict[Role, ComponentName] = {}
    """Components to use instead of the recipe's, by role, `loss` or `trainer`."""
    settings: Settings = {}
    """Beside the preset's; the seed and the length have fields of their own."""
    steps: int | None = Field(default=None, ge=1, le=10**9)
    epochs: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Passes over the data, instead of a number of steps."""
    count: int = Field(default=10_000, ge=2)
    """Images that are drawn, or reconstructed, to measure them."""
    split: Literal["train", "test"] = "train"
    """Of the real images that they are held against."""
    features: str | None = None
    """The network in whose eyes images are compared, where the metric has one."""
    seeds: int = Field(default=DEFAULT_SEEDS, ge=1, le=1000)
    """How many trainings, with the seeds 0, 1, …"""
    budget: str = ""
    """What it costs in words, where the length and the number of seeds do not say enough."""

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise PydanticCustomError("length", "exactly one of steps and epochs must be given")
        for setting in ("training.steps", "training.seed", "steps", "seed"):
            if setting in self.settings:
                raise PydanticCustomError(
                    "length",
                    "{setting} is no setting here: steps, epochs and seeds say it",
                    {"setting": setting},
                )
        return self


class Claim(_Entry):
    """A headline number of the paper, and how to measure it here."""

    name: Name
    """Unique in the variant, such as `parzen-mnist`."""
    metric: str = Field(min_length=1)
    """As `ganzoo evaluate --metrics` takes it; the metric's name where it is not measured here."""
    figure: str = ""
    """Which number of the metric, such as `precision`, where it has several."""
    data: str = Field(min_length=1)
    """What `--data` takes on anybody's machine, such as `mnist`."""
    value: float = Field(allow_inf_nan=False)
    """What the paper reports."""
    spread: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """The paper's own, where it gives one."""
    unit: str = ""
    better: Literal["lower", "higher"]
    source: str = Field(min_length=1)
    """Where it stands in the paper: section, table, page."""
    differs: str = ""
    """What may differ between the paper's measurement and ours."""
    full: ClaimRun | None = None
    """The paper's budget."""
    small: ClaimRun | None = None
    """A budget for two CPU cores."""
    why_not: str = ""
    """Why there is no full run, or no small one."""

    @model_validator(mode="after")
    def _can_be_measured_or_says_why_not(self) -> Self:
        missing = [size for size in ("full", "small") if getattr(self, size) is None]
        if missing and not self.why_not:
            raise PydanticCustomError(
                "claim",
                "a claim without a {size} run must say why in why_not",
                {"size": missing[0]},
            )
        return self


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

    @field_validator("claims")
    @classmethod
    def _names_differ(cls, claims: list[Claim]) -> list[Claim]:
        names = [claim.name for claim in claims]
        for name in names:
            if names.count(name) > 1:
                raise PydanticCustomError("claims", "two claims are called {name}", {"name": name})
        return claims


class ComponentEntry(_Entry):
    """A named component that a plugin brings."""

    name: Name
    summary: str
    argument: str = ""
    """The setting that may follow the name after a colon, as in `--encoder timm:resnet18`."""


class Components(_Entry):
    """The named components of a plugin, by kind."""

    generators: list[ComponentEntry] = []
    discriminators: list[ComponentEntry] = []
    code_discriminators: list[ComponentEntry] = []
    encoders: list[ComponentEntry] = []
    composers: list[ComponentEntry] = []
    predictors: list[ComponentEntry] = []
    priors: list[ComponentEntry] = []
    rerankers: list[ComponentEntry] = []
    losses: list[ComponentEntry] = []
    regularizers: list[ComponentEntry] = []
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
