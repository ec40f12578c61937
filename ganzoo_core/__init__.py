"""ganzoo: generative adversarial networks and autoencoders, every paper a pip package.

    import ganzoo_core as zoo

    zoo.list_variants("*gan*")
    model = zoo.create("dcgan", image_size=32)
    model = zoo.train("dcgan", "digits", out="runs/digits")
    model = zoo.load("runs/digits")
    images = model.sample(64, seed=1)  # [64, C, H, W] in [-1, 1]

Authors of plugins import from `ganzoo_core.plugins`, `ganzoo_core.components`, `ganzoo_core.nn` and
`ganzoo_core.testing`.
"""

from typing import TYPE_CHECKING, Any

from ganzoo_core.errors import GanzooError
from ganzoo_core.zoo import (
    compare,
    convert,
    create,
    evaluate,
    fetch,
    latent,
    list_variants,
    load,
    project,
    publish,
    report,
    reproduce,
    resume,
    train,
)

if TYPE_CHECKING:
    from ganzoo_core.model import Model

__version__ = "0.1.0"

__all__ = [
    "Drawing",
    "GanzooError",
    "Model",
    "Prompt",
    "compare",
    "convert",
    "create",
    "evaluate",
    "fetch",
    "latent",
    "list_variants",
    "load",
    "project",
    "publish",
    "report",
    "reproduce",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "Model":
        from ganzoo_core.model import Model

        return Model
    if name == "Drawing":
        from ganzoo_core.components import Drawing

        return Drawing
    if name == "Prompt":
        from ganzoo_core.prompting import Prompt

        return Prompt
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
