"""Where weights came from."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Origin:
    """Where a model's weights came from, and how far they can be trusted to be those."""

    place: Literal["fresh", "run", "folder", "package", "cache", "hub"]
    where: str = ""
    """A folder, or repository@revision."""
    verified: bool = False
    """Whether size and sha256 were compared with those that a manifest or the Hub pins."""
    license: str = ""
    """SPDX identifier of the weights' licence, where it is stated."""
    remarks: tuple[str, ...] = ()
    """What else a user should know of them, a sentence each: what was recognised, what is not
    known."""
