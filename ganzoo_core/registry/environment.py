"""Environments that a tool keeps for itself, and what to tell it so that it keeps our plugins."""

import sys
from collections.abc import Sequence
from pathlib import Path


def advice(distributions: Sequence[str]) -> str:
    """Return how plugins survive the next upgrade of a pipx or uv-tool environment, or nothing."""
    prefix = Path(sys.prefix)
    if (prefix / "uv-receipt.toml").exists():
        wanted = " ".join(f"--with {name}" for name in distributions)
        return f"to keep it when uv upgrades the tool: uv tool install ganzoo-core {wanted}"
    if (prefix / "pipx_metadata.json").exists():
        return f"to keep it when pipx upgrades: pipx inject ganzoo-core {' '.join(distributions)}"
    return ""
