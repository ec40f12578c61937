"""The registry's pydantic models: the authority on what `registry.json` may say."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ganzoo_core.errors import RegistryError
from ganzoo_core.plugins.schema import Components, VariantEntry

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A sha256 in hexadecimal digits."""

Distribution = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)
]
"""A distribution's name as package indexes compare it (PEP 503)."""

Version = Annotated[str, StringConstraints(pattern=r"^[0-9a-z.!+]+$", max_length=64)]
"""A version as package indexes write it (PEP 440)."""

Link = Annotated[str, StringConstraints(pattern=r"^https://[^\s@\\]+$", max_length=500)]
"""An encrypted link, without blanks and without a user's name that could pass for a host."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=500)]
"""A line of text."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wheel(_Entry):
    """The file that an index must serve for a version."""

    sha256: Digest
    size: int = Field(ge=1)
    """Bytes."""


class Latest(_Entry):
    """The version that `ganzoo install` installs."""

    version: Version
    wheel: Wheel | None
    """None until the version is published: its hash is then not known yet."""


class PluginEntry(_Entry):
    """A plugin that can be found and installed."""

    name: Distribution
    summary: Line
    homepage: Link | None
    maintainer: Line
    tier: Literal["official", "listed"]
    """`official`: of the zoo's own; `listed`: somebody else's, who has passed the checks."""
    api: str = Field(pattern=r"^\d{1,4}\.\d{1,4}$")
    """Version of the hooks that its latest version is written for."""
    license: Line
    """SPDX expression of the code's licence."""
    latest: Latest
    yanked: list[Version] = []
    """Versions that must not be installed."""
    variants: list[VariantEntry]
    """As in the manifest of the latest version, with their pretrained tags."""
    components: Components = Components()
    """As in the manifest of the latest version."""


class PaperEntry(_Entry):
    """A paper of the GAN Zoo's table, and who has implemented it."""

    year: int = Field(ge=1900, le=2200)
    month: int = Field(ge=1, le=12)
    abbreviation: Line
    title: Line
    link: Link
    code: Link | None
    """The authors' own code, where the table names it."""
    variant: str | None = Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")
    """Full name of the variant that implements it; None where nobody has written one yet."""


class RegistryContent(_Entry):
    """The zoo's public catalogue: plugins, their models, and papers without a plugin.

    The papers are those of the GAN Zoo, (c) 2017 Avinash Hindupur, under the MIT licence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, title="ganzoo registry")

    schema_url: str = Field(default="", alias="$schema")
    schema_version: Literal[1] = Field(alias="schema")
    plugins: list[PluginEntry]
    papers: list[PaperEntry]


def check_content(content: object, where: str) -> RegistryContent:
    """Check a registry's form in full and return its model.

    Raises:
        RegistryError: it says something that a registry cannot say; the message names the path.
    """
    try:
        return RegistryContent.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(_step(content, first["loc"], depth) for depth in range(len(first["loc"])))
        raise RegistryError(
            f"the registry {where} is malformed at {path or 'the top'}: {first['msg'].lower()}"
        ) from None


def registry_json_schema() -> dict[str, Any]:
    """Return the JSON schema of registries, for editors and validators."""
    return RegistryContent.model_json_schema(by_alias=True)


def _step(content: Any, location: tuple[int | str, ...], depth: int) -> str:
    """Return a step of a path; an entry of a list is named where it has a name."""
    step = location[depth]
    if isinstance(step, str):
        return ascii(step)[1:-1][:60]
    for before in location[: depth + 1]:
        try:
            content = content[before]
        except (LookupError, TypeError):
            return str(step)
    name = content.get("name") if isinstance(content, dict) else None
    return f"{step} ({ascii(name)[1:-1][:60]})" if isinstance(name, str) else str(step)
