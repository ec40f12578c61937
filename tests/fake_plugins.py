"""Made-up plugins, installed for real: a package, its manifest and its metadata in a folder."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ENTRY = {
    "name": "toy",
    "title": "A toy",
    "summary": "A variant for tests.",
    "paper": {
        "title": "On toys",
        "authors": "Nobody",
        "year": 2020,
        "url": "https://example.org/toys",
    },
    "family": "gan",
    "task": "unconditional-image-generation",
    "verbs": ["sample", "interpolate", "decode"],
    "recipe": {
        "networks": {
            "generator": {"kind": "generator", "component": "toy"},
            "discriminator": {"kind": "discriminator", "component": "ganzoo-plugin-gan/maxout"},
        },
        "loss": "ganzoo-plugin-gan/non-saturating",
        "trainer": "ganzoo-plugin-gan/adversarial",
        "inference": ["generator"],
    },
    "tiny": {"image_size": 8, "channels": 1},
}

HOOKS = """
from ganzoo_core.plugins import hookimpl

@hookimpl
def ganzoo_config(component):
    from ganzoo_plugin_gan.config import MLPGeneratorConfig
    return MLPGeneratorConfig

@hookimpl
def ganzoo_generator(component, config):
    from ganzoo_plugin_gan.networks import MLPGenerator
    return MLPGenerator(config)
"""


def entry(**changes: Any) -> dict[str, Any]:
    """A variant's entry, changed where a test needs it."""
    return ENTRY | changes


def manifest(*variants: dict[str, Any], api: str = "1.0", **components: Any) -> dict[str, Any]:
    """A manifest with these variants, by default one `toy` with its generator."""
    return {
        "api": api,
        "variants": list(variants or (entry(),)),
        "components": components or {"generators": [{"name": "toy", "summary": "a toy"}]},
    }


class FakePlugins:
    """A site-packages folder of our own."""

    def __init__(self, site: Path) -> None:
        self.site = site
        site.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        distribution: str = "somebodys-toy",
        content: dict[str, Any] | str | bytes | None = None,
        *,
        hooks: str = HOOKS,
        version: str = "1.0",
    ) -> Path:
        """Install a plugin; `content` is its manifest, or raw text, or None for none at all."""
        package = distribution.replace("-", "_")
        folder = self.site / package
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "hooks.py").write_text(hooks)
        if isinstance(content, dict):
            content = json.dumps(content)
        if isinstance(content, str):
            content = content.encode()
        if content is not None:
            (folder / "ganzoo-plugin.json").write_bytes(content)
        info = self.site / f"{package}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\n")
        (info / "entry_points.txt").write_text(f"[ganzoo.plugins]\ntoy = {package}.hooks\n")
        return folder


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def is_one_sentence(self, *parts: str) -> None:
        """Check that a user's mistake was answered by one sentence and exit code 2."""
        assert self.code == 2, (self.code, self.out, self.err)
        assert "Traceback" not in self.err
        *progress, last = self.err.strip().splitlines()
        assert not any(line.startswith("ganzoo") for line in progress), self.err
        assert last.startswith("ganzoo"), self.err
        for part in parts:
            assert part in last, (part, last)


class GanzooHere:
    """Runs `ganzoo ARGUMENTS` within the test's own process, which spares it importing torch."""

    def __init__(self, capture: "pytest.CaptureFixture[str]") -> None:
        self._capture = capture

    def __call__(self, *arguments: str | Path) -> Answer:
        from ganzoo_core.cli import main

        self._capture.readouterr()
        try:
            code: Any = main([str(argument) for argument in arguments])
        except SystemExit as exit:
            code = exit.code
        said = self._capture.readouterr()
        return Answer(code, said.out, said.err)


class Ganzoo:
    """Runs `ganzoo ARGUMENTS` in a process of its own."""

    def __init__(self, plugins: FakePlugins, folder: Path) -> None:
        self.plugins = plugins
        self.folder = folder

    def environment(self, **changes: str) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [str(self.plugins.site), os.environ.get("PYTHONPATH")]))
        return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | changes

    def __call__(self, *arguments: str | Path, **environment: str) -> Answer:
        return self.python("-m", "ganzoo_core", *arguments, **environment)

    def python(self, *arguments: str | Path, **environment: str) -> Answer:
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=300,
        )
        return Answer(done.returncode, done.stdout, done.stderr)
