"""Runs the code blocks of a page, one after the other, in one folder and one namespace.

A page is written so that what the reader sees is what runs:

- `python` runs in the page's namespace;
- `bash` runs line by line: `ganzoo …` for real, `ganzoo publish` against a Hub on loopback,
  `python -m build` for real but without a network, `pip install …` of a plugin that the page wrote
  for real, other installation lines and `tox` by checking that what they name exists, and
  `pytest …` for real; any other command fails, so that nothing is shown unchecked;
- `console` is a transcript: `$ ganzoo …` and then what it prints, where `…` stands for anything;
- `toml`, `json` and `yaml` are parsed;
- any block with `title="PATH"` is the file of that name, and is written to the page's folder;
- `text` without a title is a drawing or an equation.
"""

import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
import traceback
import zipfile
from collections.abc import Callable, Mapping
from configparser import ConfigParser
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hub_server import HubServer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from docs.blocks import Block, blocks_of

REPOSITORY = Path(__file__).parents[2]
_SHELL_SYNTAX = re.compile(r"[|&;<>$()`]|^\w+=")
_QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
"""What a shell takes as it stands."""
_SECONDS = 300


class Page:
    """A page's folder, namespace, and the plugins that it has installed."""

    def __init__(self, source: Path, folder: Path, site: Path) -> None:
        self.source = source
        self.folder = folder
        self.site = site
        self._namespace: dict[str, Any] = {"__name__": "__page__"}

    def run(self) -> None:
        """Run every block.

        Raises:
            AssertionError: one does not do what the page shows; the message says where.
        """
        for block in blocks_of(self.source):
            self.run_block(block)

    def run_block(self, block: Block) -> None:
        """Run one block."""
        runner = _RUNNERS.get(block.language)
        assert runner, f"{block.place}: the language {block.language!r} is none that is checked"
        try:
            runner(self, block)
        except Exception as error:
            said = f"{type(error).__name__}: {str(error) or _line_that_raised(error)}"
            raise AssertionError(f"{block.place}: {said}") from error

    def _python(self, block: Block) -> None:
        # Blank lines before it give errors the page's own line numbers.
        program = compile("\n" * block.line + block.text, str(block.page), "exec")
        if block.title:
            self._write(block)
        else:
            exec(program, self._namespace)

    def _bash(self, block: Block) -> None:
        for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
            for part in line.split(" && "):
                command = shlex.split(part, comments=True)
                if command:
                    self._command(part, command, shlex.split(block.run_with))

    def _console(self, block: Block) -> None:
        for entry in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            line, _, expected = entry.partition("\n")
            command = shlex.split(line)
            assert command[0] == "ganzoo", f"a transcript is of ganzoo, not of {command[0]!r}"
            code, said = self._ganzoo(command[1:])
            assert (code != 0) == ("error:" in expected), f"{line!r} ended with {code}: {said}"
            pattern = re.escape(expected.strip()).replace("…", ".*")
            assert re.fullmatch(pattern, said.strip(), re.DOTALL), (
                f"{line!r} does not print what is shown, but:\n{said}"
            )

    def _parsed(self, block: Block) -> None:
        parsers: dict[str, Callable[[str], Any]] = {
            "toml": tomllib.loads,
            "json": json.loads,
            "yaml": yaml.safe_load,
        }
        parsers[block.language](block.text)
        if block.title:
            self._write(block)

    def _text(self, block: Block) -> None:
        if block.title:
            self._write(block)

    def _write(self, block: Block) -> None:
        file = (self.folder / block.title).resolve()
        assert file.is_relative_to(self.folder.resolve()), f"{block.title} leaves the page's folder"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    def _command(self, line: str, command: list[str], run_with: list[str]) -> None:
        match command:
            case ["ganzoo", "publish", model, repository, *options]:
                self._publish(line, [model, repository.replace("YOU/", "reader/"), *options])
            case ["python", "-m", "build", *arguments]:
                built = [sys.executable, "-m", "build", "--no-isolation", *arguments]
                self._process(line, built)
            case ["ganzoo", *arguments] if not _SHELL_SYNTAX.search(_QUOTED.sub("", line)):
                code, said = self._ganzoo([*arguments, *run_with])
                assert code == 0, f"{line!r} ended with exit code {code}: {said}"
            case ["pip", "install", *what] | ["python", "-m", "pip", "install", *what]:
                self._pip_install(what)
            case ["python", "-m", "venv", _] | ["source", _]:
                pass
            case ["tox", *arguments]:
                _check_tox(arguments)
            case ["pytest", *arguments]:
                self._process(line, [sys.executable, "-m", "pytest", "-q", *arguments])
            case _ if "ganzoo" in command or "$(ganzoo" in line:
                assert not run_with, f"{line!r} has shell syntax and cannot be run shorter"
                self._process(line, ["bash", "-euo", "pipefail", "-c", line])
            case _:
                raise AssertionError(f"{line!r} is no command that the tests know how to check")

    def _process(self, line: str, command: list[str]) -> None:
        done = self._started(command)
        assert done.returncode == 0, f"{line!r} ended with {done.returncode}: {done.stdout}"

    def _publish(self, line: str, arguments: list[str]) -> None:
        with HubServer() as hub:
            account = hub.environment(self.folder / "home", token=hub.token("reader"))
            command = [sys.executable, "-m", "ganzoo_core", "publish", *arguments]
            done = self._started(command, account)
            assert done.returncode == 0, f"{line!r} ended with {done.returncode}: {done.stdout}"
            assert any(request.method == "PUT" for request in hub.requests), done.stdout

    def _ganzoo(self, arguments: list[str]) -> tuple[int, str]:
        """Run a command and return its exit code and all that it printed."""
        # In this process, which spares it importing torch, unless it starts others like itself.
        if "--processes" in arguments:
            done = self._started([sys.executable, "-m", "ganzoo_core", *arguments])
            return done.returncode, done.stdout
        from ganzoo_core.cli import main

        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            try:
                code: Any = main(arguments)
            except SystemExit as left:
                code = left.code or 0
        return code, said.getvalue()

    def _started(
        self, command: list[str], environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        here = dict(environment or os.environ)
        return subprocess.run(
            command,
            cwd=self.folder,
            env=here
            | {
                "PATH": os.pathsep.join((self._folder_of_ganzoo(), here.get("PATH", ""))),
                "PYTHONPATH": os.pathsep.join((str(self.site), here.get("PYTHONPATH", ""))),
                "OMP_NUM_THREADS": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SECONDS,
        )

    def _folder_of_ganzoo(self) -> str:
        """Give the shell a command `ganzoo`, even where no script is installed."""
        scripts = self.site.with_name("bin")
        if not scripts.exists():
            scripts.mkdir()
            script = scripts / "ganzoo"
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ganzoo_core "$@"\n')
            script.chmod(0o755)
        return str(scripts)

    def _pip_install(self, what: list[str]) -> None:
        for name in what:
            assert not name.startswith("-"), f"pip's option {name} is none that is checked"
            if name.startswith("./") and (self.folder / name / "pyproject.toml").is_file():
                self._install(self.folder / name)
            elif name == "." or "/" in name:
                project = REPOSITORY / name / "pyproject.toml"
                assert project.is_file(), f"{name} is no project of this repository"
            else:
                check_requirement(name)

    def _install(self, project: Path) -> None:
        """Build a plugin's wheel and unpack it, as pip does, without its dependencies."""
        wheels = self.site.with_name("wheels")
        wheels.mkdir(exist_ok=True)
        built = subprocess.run(
            [sys.executable, "-c", _BUILD, str(wheels)],
            cwd=project,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
        assert built.returncode == 0, f"{project.name} does not build: {built.stderr}"
        with zipfile.ZipFile(wheels / built.stdout.split()[-1]) as wheel:
            wheel.extractall(self.site)
            metadata = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
            for line in wheel.read(metadata).decode().splitlines():
                if line.startswith("Requires-Dist: ") and "extra ==" not in line:
                    check_requirement(line.removeprefix("Requires-Dist: "))


_BUILD = """
import sys
from hatchling import build
print(build.build_wheel(sys.argv[1]))
"""

_RUNNERS: dict[str, Callable[[Page, Block], None]] = {
    "python": Page._python,
    "bash": Page._bash,
    "console": Page._console,
    "toml": Page._parsed,
    "json": Page._parsed,
    "yaml": Page._parsed,
    "text": Page._text,
}


def _line_that_raised(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.line} ({Path(frame.filename).name}:{frame.lineno})"


def check_requirement(text: str) -> None:
    """Check that a requirement names a distribution of this repository or one that it depends on.

    Raises:
        AssertionError: it does not, or the version or the extra is none that there is.
    """
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        raise AssertionError(f"{text!r} is not a requirement: {error}") from None
    ours, others = _distributions()
    name = canonicalize_name(wanted.name)
    if name not in ours:
        assert name in others, f"{name} is neither ours nor anything that we depend on"
        return
    project = ours[name]
    assert wanted.specifier.contains(project["version"]), f"{text} excludes {project['version']}"
    extras = project.get("optional-dependencies", {})
    assert wanted.extras <= extras.keys(), f"{name} has only the extras {sorted(extras)}"


@cache
def _distributions() -> tuple[dict[str, dict[str, Any]], set[str]]:
    """Return the projects of this repository by name, and the names of what they and tox need."""
    files = [REPOSITORY / "pyproject.toml", *REPOSITORY.glob("plugins/*/pyproject.toml")]
    projects = [tomllib.loads(file.read_text(encoding="utf-8"))["project"] for file in files]
    needed = [line for project in projects for line in project.get("dependencies", ())]
    for section in _tox().sections():
        needed += _tox()[section].get("deps", "").split("\n")
    named = [re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line.strip()) for line in needed]
    ours = {str(canonicalize_name(project["name"])): project for project in projects}
    return ours, {"tox", *(canonicalize_name(name[0]) for name in named if name)}


@cache
def _tox() -> ConfigParser:
    tox = ConfigParser(interpolation=None)
    tox.read(REPOSITORY / "tox.ini")
    return tox


def _check_tox(arguments: list[str]) -> None:
    known = {section.removeprefix("testenv:") for section in _tox().sections()}
    known |= {name.strip() for name in _tox()["tox"].get("env_list", "").split(",")}
    words = [word for word in arguments if word not in ("run", "-e")]
    asked = {name for word in words if not word.startswith("-") for name in word.split(",")}
    assert asked <= known, f"tox.ini has no environment {', '.join(sorted(asked - known))}"
