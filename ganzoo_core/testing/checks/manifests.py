"""What a plugin says of itself, and what importing it costs."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from ganzoo_core.plugins import KINDS, MANIFEST_NAME, Plugin, load_plugin
from ganzoo_core.plugins.schema import check_manifest
from ganzoo_core.testing.report import NotApplicableError, NotKeptError

HEAVY = (
    "datasets",
    "huggingface_hub",
    "numpy",
    "timm",
    "torch",
    "torchvision",
    "transformers",
)
"""What importing the hooks' module must not import."""

_PROBE = f"""
import json, sys
sys.path[:] = json.loads(sys.argv[1])
before = set(sys.modules)
__import__(sys.argv[2])
print()
print(json.dumps([name for name in {HEAVY!r} if name in set(sys.modules) - before]))
"""


def manifest_is_valid(plugin: Plugin) -> None:
    """The manifest is one that the schema allows, and the hooks' module loads."""
    if plugin.problem:
        raise NotKeptError(f"a plugin must be usable, and {plugin.distribution}: {plugin.problem}")
    manifest = check_manifest(plugin.manifest, str(Path(plugin.folder, MANIFEST_NAME)))
    names = [name for entry in manifest.variants for name in (entry.name, *entry.aliases)]
    _refuse_repeated("variant", names)
    for kind in KINDS:
        _refuse_repeated(kind, [entry.name for entry in manifest.components.of(kind)])
    load_plugin(plugin)


def imports_within_budget(plugin: Plugin) -> None:
    """Importing the hooks' module imports none of the heavy packages."""
    process = subprocess.run(
        [sys.executable, "-c", _PROBE, json.dumps(sys.path), plugin.module],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if process.returncode or not process.stdout.strip():
        said = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
        raise NotKeptError(f"{plugin.module} must import, and it does not ({said[-1]})")
    imported = json.loads(process.stdout.splitlines()[-1])
    if imported:
        raise NotKeptError(
            f"importing {plugin.module} must import nothing heavy, and it imports "
            f"{', '.join(imported)}; move those imports into the hooks"
        )


def published_weights_can_be_read(plugin: Plugin) -> None:
    """Where the manifest points to files that authors published, a hook reads them."""
    published = [
        f"{entry['name']}.{weights['tag']}"
        for entry in plugin.manifest.get("variants", ())
        for weights in entry.get("pretrained", ())
        if weights.get("layout") == "authors"
    ]
    if not published:
        raise NotApplicableError("its manifest points to no files that authors published")
    if "ganzoo_read_checkpoint" not in load_plugin(plugin).implemented:
        raise NotKeptError(
            f"the files of {published[0]} are in their authors' layout, so {plugin.distribution} "
            "must implement ganzoo_read_checkpoint, and it does not"
        )


def _refuse_repeated(kind: str, names: list[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise NotKeptError(
            f"a {kind}'s name must occur once in a manifest, and {repeated[0]!r} occurs more often"
        )
