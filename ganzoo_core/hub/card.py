"""The model card: what the weights are, how they were made, how to use them, where they end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganzoo_core.model import Model


@dataclass(frozen=True)
class Card:
    """The facts that only the one who trained the model knows."""

    license: str = "apache-2.0"
    """SPDX identifier of the weights' licence, in the Hub's lower case."""
    datasets: tuple[str, ...] = ()
    training: str = ""
    """One paragraph: data, steps, machine, duration, command."""
    limits: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Measured values by name."""


def render_card(model: "Model", card: Card) -> str:
    """Return the text of a model card, with the YAML header that the Hub reads."""
    import yaml

    entry = model.blueprint.entry
    header: dict[str, Any] = {
        "library_name": "ganzoo",
        "license": card.license,
        "pipeline_tag": entry.task,
        "tags": ["ganzoo", entry.family, entry.name],
    }
    if card.datasets:
        header["datasets"] = list(card.datasets)
    if card.metrics:
        header["model-index"] = [_index_entry(model, card)]
    plugin = model.blueprint.variant.plugin.distribution
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True).strip(),
        "---",
        "",
        f"# {entry.title}",
        "",
        f"{entry.summary} Made with [ganzoo](https://github.com/ganzoo/ganzoo), variant "
        f"`{entry.name}` of `{plugin}`, after {entry.paper.authors} ({entry.paper.year}), "
        f"[{entry.paper.title}]({entry.paper.url}).",
        "",
        "![samples](samples.png)" if "sample" in model.verbs else "",
        "",
        "## Use",
        "",
        "```bash",
        f"pip install {plugin}",
        "ganzoo sample PATH_OR_NAME_OF_THIS_MODEL -n 64 --out grid.png",
        "```",
        "",
        "```python",
        "import ganzoo_core as zoo",
        "",
        'model = zoo.load("PATH_OR_NAME_OF_THIS_MODEL")',
        "images = model.sample(64, seed=1)  # [64, C, H, W] in [-1, 1]",
        "```",
        "",
        "## Training",
        "",
        card.training or "Not recorded.",
        "",
        "## Limits",
        "",
        card.limits or "It draws what its training data showed, with their biases, and no more.",
        "",
    ]
    return "\n".join(lines)


def _index_entry(model: "Model", card: Card) -> dict[str, Any]:
    entry = model.blueprint.entry
    return {
        "name": entry.name,
        "results": [
            {
                "task": {"type": entry.task},
                "dataset": {
                    "name": card.datasets[0] if card.datasets else "unnamed",
                    "type": "image",
                },
                "metrics": [
                    {"type": name, "value": value, "name": name}
                    for name, value in card.metrics.items()
                ],
            }
        ],
    }
