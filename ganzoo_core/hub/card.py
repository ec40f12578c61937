"""The model card: what the weights are, how they were made, how to use them, where they end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ganzoo_core.files import whole_file

if TYPE_CHECKING:
    from ganzoo_core.model import Model
    from ganzoo_core.plugins.schema import VariantEntry


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
    command, call = next(use for verb, *use in _FIRST_USES if verb in ("", *model.verbs))
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
        command,
        "```",
        "",
        "```python",
        "import ganzoo_core as zoo",
        "",
        'model = zoo.load("PATH_OR_NAME_OF_THIS_MODEL")',
        call,
        "```",
        "",
        "## Training",
        "",
        card.training or "Not recorded.",
        "",
        "## Limits",
        "",
        card.limits
        or f"It {'draws' if 'sample' in model.verbs else 'knows'} what its training data showed, "
        "with their biases, and no more.",
        "",
    ]
    return "\n".join(lines)


_FIRST_USES = (
    (
        "translate",
        "ganzoo translate PATH_OR_NAME_OF_THIS_MODEL --input photo.png",
        "images = model.translate(images)  # [N, C, H, W] in [-1, 1]",
    ),
    (
        "sample",
        "ganzoo sample PATH_OR_NAME_OF_THIS_MODEL -n 64 --out grid.png",
        "images = model.sample(64, seed=1)  # [64, C, H, W] in [-1, 1]",
    ),
    (
        "predict",
        "ganzoo predict PATH_OR_NAME_OF_THIS_MODEL --data video:VIDEOS --out prediction.gif",
        "frames = model.predict(clips, 50)  # [N, 50, C, H, W], of clips [N, T, C, H, W]",
    ),
    (
        "swap",
        "ganzoo swap PATH_OR_NAME_OF_THIS_MODEL --data video:VIDEOS --out grid.png",
        "images = model.swap(content, pose)  # [N, C, H, W], of images in [-1, 1]",
    ),
    (
        "classify",
        "ganzoo classify PATH_OR_NAME_OF_THIS_MODEL --input photo.png",
        "probabilities = model.classify(images)  # [N, classes], of images in [-1, 1]",
    ),
    ("", "ganzoo load PATH_OR_NAME_OF_THIS_MODEL", "print(model.verbs)"),
)
"""What a card shows first, by the first verb that a model has: a command and a call."""


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


def record_evaluation(
    card: Path, entry: "VariantEntry", results: Sequence[Mapping[str, Any]], *, note: str = ""
) -> None:
    """Put measured results into the `model-index` of a card, and leave the rest as it is.

    Args:
        card: the file; one without a header that can be read is left alone.
        entry: of the variant.
        results: as `ganzoo_core.evaluation.Result.to_json` gives them.
        note: what else there is to know about all of them.

    Raises:
        RunError: the card cannot be written.
    """
    import yaml

    text = _text(card)
    header = _header(text)
    if not header:
        return
    datasets = dict.fromkeys((result["data"], result["split"]) for result in results)
    header["model-index"] = [
        {
            "name": entry.name,
            "results": [
                {
                    "task": {"type": entry.task},
                    "dataset": {"name": data, "type": "image", "split": split},
                    "metrics": [
                        _index_metric(result, note)
                        for result in results
                        if (result["data"], result["split"]) == (data, split)
                    ],
                }
                for data, split in datasets
            ],
        }
    ]
    _, _, rest = text.removeprefix("---\n").partition("---\n")
    dumped = yaml.safe_dump(header, sort_keys=False, allow_unicode=True)
    with whole_file(card) as partial:
        partial.write_text(f"---\n{dumped}---\n{rest}", encoding="utf-8")


def _index_metric(result: Mapping[str, Any], note: str) -> dict[str, Any]:
    shown = ("spread", "features", "features_hash", "real", "generated", "seed", "weights")
    return {
        "type": str(result["metric"]).partition("[")[0].lower().replace(" ", "-"),
        "name": result["metric"],
        "value": result["value"],
        "args": {key: result[key] for key in shown if result.get(key) is not None}
        | ({"note": note} if note else {}),
    }


def read_license(card: Path) -> str:
    """Return the licence that a model card states, or nothing; never fails on a strange card."""
    stated = _header(_text(card)).get("license")
    return stated if isinstance(stated, str) else ""


def read_card(path: Path, *, license: str) -> Card:
    """Return the facts of a card that `render_card` wrote, under another licence."""
    text = _text(path)
    datasets = _header(text).get("datasets") or ()
    return Card(
        license=license.lower(),
        datasets=tuple(str(name) for name in datasets),
        training=_section(text, "Training"),
        limits=_section(text, "Limits"),
    )


def _text(card: Path) -> str:
    try:
        with card.open(encoding="utf-8") as file:
            return file.read(_LARGEST)
    except (OSError, UnicodeDecodeError):
        return ""


def _header(text: str) -> dict[str, Any]:
    import yaml

    if not text.startswith("---\n"):
        return {}
    try:
        header = yaml.safe_load(text.split("---\n")[1])
    except (yaml.YAMLError, RecursionError):
        return {}
    return header if isinstance(header, dict) else {}


def _section(text: str, title: str) -> str:
    _, _, rest = text.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0].strip()


_LARGEST = 64_000
"""Characters of a card that are read; ours have a few thousand."""
