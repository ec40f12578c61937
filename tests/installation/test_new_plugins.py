"""What `ganzoo new` writes, as its author would publish it and a stranger would install it."""

from pathlib import Path

import pytest
from package_index import Environment, PackageIndex, build

from ganzoo_core.scaffold import KINDS, write_plugin


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plugin_installs_from_an_index_and_passes_its_own_tests(
    environment: Environment, index: PackageIndex, tmp_path: Path, kind: str
) -> None:
    project = write_plugin("my-variant", kind=kind, out=tmp_path / "my-variant")
    index.add(*(path for path in build(project, into=tmp_path / "dist") if path.suffix == ".whl"))
    done = environment.pip(
        "install", "--quiet", "--index-url", index.url, "ganzoo-plugin-my-variant"
    )
    assert done.code == 0, done.err
    rows = {row["name"]: row for row in environment.ganzoo("list", "--json").json["variants"]}
    assert rows["my-variant"]["status"] == "ok"
    tests = environment.run(
        environment.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", project / "tests"
    )
    assert tests.code == 0, tests.out
    assert " passed" in tests.out
