"""Small weights within a plugin's package: the files and hashes that the Hub would have."""

import json
from pathlib import Path
from typing import Any

import torch

from ganzoo_core.errors import PluginError
from ganzoo_core.evaluation.evaluating import results_of
from ganzoo_core.files import sha256_of, write_json
from ganzoo_core.hub.card import read_card, record_evaluation
from ganzoo_core.hub.folder import write_model_folder
from ganzoo_core.model import Model
from ganzoo_core.plugins.installed import MANIFEST_NAME
from ganzoo_core.plugins.schema import Pretrained, read_checked_manifest

LARGEST = 16_000_000
"""Bytes; more belongs on the Hub, not into everybody's installation."""


def ship(
    model: Model, plugin: Path, tag: str, *, license: str, summary: str, half: bool
) -> dict[str, Any]:
    """Write a model into a plugin's source and pin it in the plugin's manifest.

    Args:
        model: a loaded model of one of the plugin's variants.
        plugin: the plugin's source folder, which holds `src/PACKAGE/ganzoo-plugin.json`.
        tag: to load it by, as `variant.tag`; an entry of that tag is replaced.
        license: SPDX identifier of the weights' licence.
        summary: what the weights are, in a line.
        half: store them in half precision, which halves the size.

    Returns:
        the manifest's entry.

    Raises:
        PluginError: this is no plugin's folder, it has no such variant, or the weights are too big.
    """
    manifest_file = find_manifest(plugin)
    read_checked_manifest(manifest_file)
    manifest = json.loads(manifest_file.read_text(encoding="utf-8"))
    variant = next((v for v in manifest["variants"] if v["name"] == model.variant), None)
    if variant is None:
        raise PluginError(f"the plugin in {plugin} has no variant {model.variant!r}")
    folder = manifest_file.parent / "pretrained" / f"{model.variant}-{tag}"
    results = [result.to_json() for result in results_of(model)]
    if half:
        _round_to_half(model)
    card = read_card(Path(model.origin.where) / "README.md", license=license)
    write_model_folder(model, folder, card, half=half)
    if results:
        note = "measured before the weights were rounded to half precision" if half else ""
        record_evaluation(folder / "README.md", model.blueprint.entry, results, note=note)
    files: list[dict[str, Any]] = [
        {"path": file.name, "size": file.stat().st_size, "sha256": sha256_of(file)}
        for file in sorted(folder.iterdir())
    ]
    total = sum(file["size"] for file in files)
    if total > LARGEST:
        raise PluginError(
            f"{folder} has {total / 1e6:.1f} MB and a package should ship at most "
            f"{LARGEST / 1e6:.0f}; remove it and publish the weights on the Hub instead"
        )
    entry = {
        "tag": tag,
        "summary": summary,
        "license": license,
        "shipped": f"pretrained/{folder.name}",
        "files": files,
    }
    Pretrained.model_validate(entry)
    others = [other for other in variant.get("pretrained", []) if other["tag"] != tag]
    variant["pretrained"] = [*others, entry]
    write_json(manifest_file, manifest)
    return entry


def find_manifest(plugin: Path) -> Path:
    """Return the manifest in the source folder of a plugin, which lies in its package.

    Raises:
        PluginError: this is no plugin's folder.
    """
    manifests = sorted(plugin.glob(f"src/*/{MANIFEST_NAME}"))
    if len(manifests) != 1:
        raise PluginError(
            f"{plugin} is not a plugin's source: no src/PACKAGE/{MANIFEST_NAME} in it"
        )
    return manifests[0]


@torch.no_grad()
def _round_to_half(model: Model) -> None:
    """Round the weights as the file will, so that the samples show what will be loaded."""
    for network in model.networks.values():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(tensor.half())
