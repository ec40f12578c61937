"""Calls of Python functions in processes of their own, with the environment of a Hub's user.

The Hub's client reads its environment once, when it is imported, so every test needs a new process.
"""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .server import HubServer

_PROGRAM = """
import importlib, inspect, pickle, sys, traceback
target, arguments, settings = pickle.load(sys.stdin.buffer)
module, expression = target.split(":", 1)
try:
    function = eval(f"module.{expression}", {"module": importlib.import_module(module)})
    value = function(*arguments, **settings)
    outcome = (list(value) if inspect.isgenerator(value) else value, None)
except Exception as error:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    outcome = (None, (kinds, str(error), traceback.format_exc()))
with open(sys.argv[1], "wb") as file:
    pickle.dump(outcome, file)
"""


@dataclass(frozen=True)
class Failure:
    """An exception of the other process: its class and all base classes, and what it says."""

    kinds: tuple[str, ...]
    message: str
    traceback: str


@dataclass(frozen=True)
class Outcome:
    """What a call came to; the wrong one of the two attributes fails the test that asks for it."""

    result: Any
    failure: Failure | None
    stderr: str

    @property
    def value(self) -> Any:
        self.done()
        return self.result

    def done(self) -> None:
        """Fail the test where the call has failed."""
        assert self.failure is None, self.failure.traceback

    @property
    def error(self) -> Failure:
        assert self.failure is not None, f"no error but {self.result!r}"
        return self.failure

    @property
    def sentence(self) -> str:
        """The message of a `GanzooError`: one line, one sentence."""
        error = self.error
        assert "GanzooError" in error.kinds, error.traceback
        assert error.message == error.message.strip() and "\n" not in error.message
        assert ". " not in error.message and len(error.message) < 500, error.message
        return error.message


@dataclass
class Running:
    """A call that is under way."""

    process: "subprocess.Popen[bytes]"
    answer: Path

    def outcome(self, timeout: float = 240) -> Outcome:
        _, stderr = self.process.communicate(timeout=timeout)
        said = stderr.decode(errors="replace")
        assert self.answer.exists(), f"the process ended with {self.process.returncode}: {said}"
        value, error = pickle.loads(self.answer.read_bytes())
        shutil.rmtree(self.answer.parent)
        failure = Failure(tuple(error[0]), error[1], error[2]) if error else None
        return Outcome(value, failure, said)

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.answer.parent)


@dataclass
class Client:
    """A user of a Hub with a home folder, perhaps a token, and settings in the environment."""

    hub: HubServer
    home: Path
    token: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    """A command that runs the process, such as `setpriv` with its arguments."""

    @property
    def cache(self) -> Path:
        """The cache of the Hub's client."""
        return self.home / "huggingface" / "hub"

    def start(self, target: str, *arguments: Any, offline: bool = False, **named: Any) -> Running:
        """Call `module:expression` in a new process and do not wait for it."""
        environment = self.hub.environment(self.home, token=self.token, offline=offline)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        # Outside the home, which a test may have made unwritable.
        answer = Path(tempfile.mkdtemp(prefix="ganzoo-call-")) / "outcome"
        process = subprocess.Popen(
            [*self.prefix, sys.executable, "-c", _PROGRAM, str(answer)],
            env=environment | self.settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(pickle.dumps((target, arguments, named)))
        process.stdin.close()
        process.stdin = None
        return Running(process, answer)

    def call(self, target: str, *arguments: Any, offline: bool = False, **named: Any) -> Outcome:
        """Call `module:expression` in a new process and return what it came to."""
        return self.start(target, *arguments, offline=offline, **named).outcome()
