"""Make `registry.json`, what is derived from it, and the published schemas anew.

    python tests/registry/regenerate.py [--papers PATH/TO/gans.tsv]

Builds the wheel of every plugin in `plugins/`, takes their entries from the wheels, and links the
papers to the variants that cite them. The hash of a version stays unknown until it is published:
`ganzoo registry add WHEEL --tier official`, with the very file that the index serves, adds it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from package_index import PLUGINS, ROOT, build

from ganzoo_core.plugins.schema import manifest_json_schema
from ganzoo_core.registry.entries import (
    check,
    empty,
    linked,
    papers_of_table,
    reserved_names,
    to_text,
    with_plugin,
)
from ganzoo_core.registry.schema import registry_json_schema
from ganzoo_core.registry.wheels import read_wheel

REGISTRY = ROOT / "registry.json"
CORE = ROOT / "ganzoo_core" / "registry"


def regenerated(before: dict[str, Any], wheels: list[Path]) -> dict[str, Any]:
    """Return the registry with the entries of our own plugins made from their wheels."""
    registry = before
    for path in wheels:
        wheel = read_wheel(path)
        registry = with_plugin(registry, wheel, tier="official", published=False)
    ours = {read_wheel(path).facts.name for path in wheels}
    kept = [
        plugin
        for plugin in registry["plugins"]
        if plugin["tier"] != "official" or plugin["name"] in ours
    ]
    return registry | {"plugins": kept, "papers": linked(registry["papers"], kept)}


def files(registry: dict[str, Any]) -> dict[Path, str]:
    """Return the text of every file that is made from the registry or from the models."""
    text = to_text(registry)
    return {
        REGISTRY: text,
        CORE / "registry.json": text,
        CORE / "reserved.json": _lines(reserved_names(registry)),
        ROOT / "docs" / "registry.schema.json": _lines(registry_json_schema()),
        ROOT / "docs" / "plugin.schema.json": _lines(manifest_json_schema()),
    }


def _lines(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=Path, help="the GAN Zoo's table, to take its papers anew")
    options = parser.parse_args()
    before = json.loads(REGISTRY.read_text(encoding="utf-8")) if REGISTRY.exists() else empty()
    if options.papers:
        table = options.papers.read_text(encoding="utf-8")
        before["papers"] = list(papers_of_table(table))
    with tempfile.TemporaryDirectory() as folder:
        built = build(*PLUGINS, into=Path(folder))
        registry = regenerated(before, [path for path in built if path.suffix == ".whl"])
    for problem in check(registry, str(REGISTRY)):
        print(f"problem: {problem}", file=sys.stderr)
    for path, text in files(registry).items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
