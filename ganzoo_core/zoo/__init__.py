"""What a user types: list, create, train, load, evaluate, compare, publish, and the rest.

`models` finds, makes and exchanges models, `runs` trains them, and `findings` measures and shows
what came of it.
"""

from ganzoo_core.zoo.findings import compare, evaluate, latent, project, report, reproduce
from ganzoo_core.zoo.models import convert, create, fetch, list_variants, load, publish
from ganzoo_core.zoo.runs import plan, resume, train

__all__ = [
    "compare",
    "convert",
    "create",
    "evaluate",
    "fetch",
    "latent",
    "list_variants",
    "load",
    "plan",
    "project",
    "publish",
    "report",
    "reproduce",
    "resume",
    "train",
]
