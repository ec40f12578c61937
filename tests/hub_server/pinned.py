"""A model on the server together with what a manifest says of it."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganzoo_core.hub.files import RemoteFile


@dataclass(frozen=True)
class Pinned:
    """A repository, a commit, and the files that are expected there."""

    repo: str
    revision: str
    contents: dict[str, bytes]

    @property
    def files(self) -> "tuple[RemoteFile, ...]":
        from ganzoo_core.hub.files import RemoteFile

        return tuple(
            RemoteFile(path, len(content), hashlib.sha256(content).hexdigest())
            for path, content in self.contents.items()
        )

    @property
    def arguments(self) -> "tuple[str, str, tuple[RemoteFile, ...]]":
        """What the functions over pinned files take first."""
        return self.repo, self.revision, self.files
