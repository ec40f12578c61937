"""The videos that a command's options name."""

import argparse
from typing import TYPE_CHECKING

from ganzoo_core.cli.progress import counting

if TYPE_CHECKING:
    from ganzoo_core.footage import Footage
    from ganzoo_core.model import Model


def footage(model: "Model", options: argparse.Namespace) -> "Footage":
    """Open the videos of `options` at the size that a model takes, showing how it goes."""
    from ganzoo_core.footage import Footage

    with counting("decoding", quiet=options.json) as progress:
        return Footage(
            model,
            options.data,
            root=options.data_root,
            split=options.split,
            resize_filter=options.resize_filter,
            progress=progress,
        )
