"""Every error that a user can act on, and the nearest-name suggestion that most of them carry.

An error's message is one sentence: what is wrong, where, and what to do next. It is raised where
the cause is known; the command line renders it in one place, without a traceback, and exits with
the error's code. Anything else that escapes is a defect of ganzoo or of a plugin.
"""

from collections.abc import Iterable


class GanzooError(Exception):
    """Something that a user can act on, said in one sentence."""

    exit_code = 2


class UnknownNameError(GanzooError):
    """A name that nothing answers to: of a variant, component, data set, tag, preset or setting."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        self.kind = kind
        self.name = name
        place = f" in {where}" if where else ""
        super().__init__(f"unknown {kind} {name!r}{place}; {suggestion(name, known)}")


class ConfigError(GanzooError):
    """A setting with a value that it cannot have; the message names the setting's dotted path."""


class PluginError(GanzooError):
    """A plugin that cannot be read, does not fit this core, clashes, or fails when it is called."""


class DataError(GanzooError):
    """Data that is missing, empty, broken, or of a shape that the model cannot take."""


class CheckpointError(GanzooError):
    """A checkpoint or weights file that is damaged, hostile, or of another layout than expected."""


class RunError(GanzooError):
    """A run folder that cannot be written, read or resumed, or a training that had to stop."""


class HubError(GanzooError):
    """Weights that cannot be had: no network, no such repository, no access, damaged content."""


class RegistryError(GanzooError):
    """A registry or a plugin's wheel that cannot be read or says what it cannot say."""


class UnsupportedError(GanzooError):
    """A request for something that this model, loss or device has no ability for."""


class InterruptedTrainingError(GanzooError):
    """Training that a signal stopped after its state had been saved."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three known names that resemble `name`, the most similar first."""
    from difflib import SequenceMatcher

    wanted = name.lower()
    scored = [(SequenceMatcher(None, wanted, each.lower()).ratio(), each) for each in set(known)]
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    # Those hardly worse than the best; below one half nothing resembles.
    return [each for ratio, each in scored[:3] if ratio >= max(0.5, scored[0][0] - 0.1)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that points from a wrong name to the right one."""
    candidates = sorted(set(known))
    close = nearest(name, candidates)
    if close:
        return f"did you mean {' or '.join(repr(match) for match in close)}?"
    if not candidates:
        return "there is none to choose from"
    listed = ", ".join(candidates[:12]) + (", …" if len(candidates) > 12 else "")
    return f"choose one of: {listed}"
