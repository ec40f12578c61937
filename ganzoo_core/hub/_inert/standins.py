"""What stands in for the classes and objects of a pickle, and the budget that its reading has."""

from dataclasses import dataclass

LONGEST_NAME = 512
"""Characters; no module, class or storage name comes near, and a longer one costs time per use."""

_MOST_TUPLE_KEYS = 4096

_OTHER_SPELLINGS = {
    "__builtin__": "builtins",
    "copy_reg": "copyreg",
    "torch.tensor": "torch._tensor",
}


class UnreadableError(Exception):
    """Why a file is not read on: half a sentence, which the reader completes with the path."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Named:
    """A class or function that a pickle names: two strings, never the thing itself.

    The modules that Python 2, old torch and new numpy spell differently are brought to one spelling
    (`builtins`, `copyreg`, `torch._tensor`, `numpy.core`).
    """

    module: str
    name: str

    @property
    def path(self) -> str:
        """The dotted path, such as `"dall_e.encoder.Encoder"`."""
        return f"{self.module}.{self.name}"

    def __repr__(self) -> str:
        return f"<named {ascii(self.path)[1:-1]}>"


def named(module: object, name: object) -> Named:
    """Return the record of a class or function under its one spelling."""
    if type(module) is not str or type(name) is not str:
        raise UnreadableError("it names a class by something other than two strings")
    if len(module) > LONGEST_NAME or len(name) > LONGEST_NAME:
        raise UnreadableError(f"it names a class with more than {LONGEST_NAME} characters")
    module = _OTHER_SPELLINGS.get(module, module)
    if module == "numpy._core" or module.startswith("numpy._core."):
        module = module.replace("_core", "core", 1)
    return Named(module, name)


class Inert:
    """The record of an object that a pickle describes: what it would be made of, not made.

    Nothing here runs, imports or looks up what `of` names. `args` and `kwargs` are what the class
    or function would have been called with, `state` what the object would have been filled with
    (most often a dict of attributes), `items` and `entries` what a subclass of list or dict holds.
    """

    __slots__ = ("args", "entries", "items", "kwargs", "of", "state")

    def __init__(
        self,
        of: Named,
        args: tuple[object, ...] = (),
        kwargs: dict[object, object] | None = None,
        state: object = None,
    ) -> None:
        self.of = of
        self.args = args
        self.kwargs = {} if kwargs is None else kwargs
        self.state = state
        self.items: list[object] = []
        self.entries: dict[object, object] = {}

    @property
    def path(self) -> str:
        """The dotted path of the class or function, such as `"argparse.Namespace"`."""
        return self.of.path

    def get(self, name: str, default: object = None) -> object:
        """Return one attribute (or, of a dict subclass, one entry), or the default."""
        for part in self._parts():
            if name in part:
                return part[name]
        return default

    def attributes(self) -> dict[str, object]:
        """Return all attributes, and the entries of a dict subclass, as a new dict."""
        found: dict[str, object] = {}
        for part in reversed(self._parts()):
            found.update((key, value) for key, value in part.items() if isinstance(key, str))
        return found

    def _parts(self) -> list[dict[object, object]]:
        # A class with slots pickles its state as (attributes or None, slots).
        state = self.state
        pair = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        return [part for part in (*pair, self.entries) if isinstance(part, dict)]

    def __repr__(self) -> str:
        return f"<inert {ascii(self.path)[1:-1]}>"


class Budget:
    """How much work and memory one file may cause, nested files included.

    Without it, a kilobyte could ask for terabytes: by naming one large string a million times over,
    by expanding a tensor, by a compressed archive, or by files within files.
    """

    def __init__(self, steps: int, content_bytes: int) -> None:
        self.nesting = 0
        self._steps = steps
        self._bytes = content_bytes
        self._tuple_keys = _MOST_TUPLE_KEYS

    def spend_steps(self, count: int) -> None:
        """Pay for work in proportion to `count`, or refuse the file."""
        self._steps -= count
        if self._steps < 0:
            raise UnreadableError("it takes more steps to read than any known checkpoint")

    def spend_bytes(self, count: int) -> None:
        """Pay for `count` bytes of content, before they are allocated, or refuse the file."""
        self._bytes -= count
        if self._bytes < 0:
            raise UnreadableError("its contents would be far larger than the file")

    def spend_tuple_key(self) -> None:
        """Pay for a tuple as a dictionary key: few enough that it costs little if all collide."""
        self._tuple_keys -= 1
        if self._tuple_keys < 0:
            raise UnreadableError("it has more tuples as dictionary keys than any known checkpoint")
