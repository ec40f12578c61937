"""Requirements that restore an installed distribution, wherever it came from."""

import json
from importlib.metadata import Distribution, PackageNotFoundError
from typing import Any


def requirement(distribution: str) -> str:
    """Return a line for pip's and uv's requirement files; a comment where nothing restores it."""
    try:
        found = Distribution.from_name(distribution)
    except PackageNotFoundError:
        return f"# {distribution} has no metadata and cannot be restored"
    try:
        origin = json.loads(found.read_text("direct_url.json") or "{}")
        return _from_origin(distribution, origin) or f"{distribution}=={found.version}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"# {distribution} {found.version} does not say where it came from"


def _from_origin(distribution: str, origin: dict[str, Any]) -> str:
    """Return the line for what was installed from a link or a folder, as PEP 610 records it."""
    if not origin:
        return ""
    url = origin["url"]
    if "vcs_info" in origin:
        vcs = origin["vcs_info"]
        return f"{distribution} @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
    if origin.get("dir_info", {}).get("editable"):
        return f"-e {url}"
    return f"{distribution} @ {url}"
