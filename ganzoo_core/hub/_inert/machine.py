"""An interpreter of pickle instructions that calls nothing a file names.

Why not `pickle.Unpickler` with `find_class` overridden: both of Python's unpicklers *call what
stands on their stack* (REDUCE, NEWOBJ, `__setstate__`, `append`, `extend`, `add`), so that safety
hangs on every object that find_class could ever hand out; they allocate what a file announces
before they know that it is there, make a list of 2^31 places for one memo index, hash whatever is
given as a key, and consult a process-wide registry for extension codes. Here a name becomes two
strings, an object a record, and the only functions that run are those of a table that the caller
passes in, each of which checks its arguments. The interpreter is also shorter than a list of the
exceptions would be. It never recurses, so a file cannot nest deeper than it can go.
"""

import codecs
import struct
from collections.abc import Callable, Mapping
from typing import BinaryIO

from ganzoo_core.hub._inert.keys import checked_key
from ganzoo_core.hub._inert.standins import Budget, Inert, Named, UnreadableError, named

Maker = Callable[[tuple[object, ...], Budget], object]
"""Makes a value from the arguments of a call; None leaves the call as an inert record."""

Finisher = Callable[[Inert, object, Budget], object]
"""Makes a value from an inert record and the state that it is filled with; None leaves it inert."""

PersistentLoad = Callable[[object], object]

_LONGEST_NUMBER = 1024
_OBJECT_STEPS = 8


class Source:
    """Bytes of a stream, handed out only where the stream really has them."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.left = size

    def read(self, count: int) -> bytes:
        """Return exactly `count` bytes."""
        self._take(count)
        data = self._stream.read(count)
        if len(data) != count:
            raise UnreadableError("it changed while it was read")
        return data

    def read_into(self, buffer: bytearray) -> None:
        """Fill the buffer."""
        self._take(len(buffer))
        if self._stream.readinto(buffer) != len(buffer):  # type: ignore[attr-defined]
            raise UnreadableError("it changed while it was read")

    def line(self) -> bytes:
        """Return the bytes before the next newline, and pass the newline."""
        data = self._stream.readline(self.left)
        if not data.endswith(b"\n"):
            raise UnreadableError("it ends in the middle of a line")
        self.left -= len(data)
        return data[:-1]

    def _take(self, count: int) -> None:
        if count > self.left:
            raise UnreadableError("it ends before the data that it announces")
        self.left -= count


class _Pending(Inert):
    """A record that a later BUILD turns into a value, which the memo must then give instead."""

    __slots__ = ("became",)

    def __init__(self, of: Named, args: tuple[object, ...]) -> None:
        super().__init__(of, args)
        self.became: object = None


class Machine:
    """One pickle's stack and memo, over a source that it reads up to and including STOP."""

    def __init__(
        self,
        source: Source,
        budget: Budget,
        makers: Mapping[str, Maker],
        finishers: Mapping[str, Finisher],
        persistent_load: PersistentLoad | None = None,
    ) -> None:
        self.source = source
        self.budget = budget
        self.makers = makers
        self.finishers = finishers
        self.persistent_load = persistent_load
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        """Return what the pickle describes."""
        while (code := self.source.read(1)) != b".":
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise UnreadableError(f"byte 0x{code.hex()} in its pickle is not an instruction")
            self.budget.spend_steps(1)
            instruction(self)
        return self.pop()

    def push(self, value: object) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def pop(self) -> object:
        """Take the value on top, if the innermost open group has one."""
        if len(self.stack) <= self._floor():
            raise UnreadableError("its pickle takes more from the stack than it put there")
        return self.stack.pop()

    def top(self) -> object:
        """Return the value on top, if the innermost open group has one."""
        if len(self.stack) <= self._floor():
            raise UnreadableError("its pickle takes more from the stack than it put there")
        return self.stack[-1]

    def pop_to_mark(self) -> list[object]:
        """Close the innermost group and take its values."""
        if not self.marks:
            raise UnreadableError("its pickle ends a group that it did not begin")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def number(self, layout: str) -> int:
        """Read one whole number in a `struct` layout."""
        value = struct.unpack(layout, self.source.read(struct.calcsize(layout)))[0]
        if not isinstance(value, int) or value < 0:
            raise UnreadableError("its pickle announces a negative size")
        return value

    def make(self, of: object, args: object, kwargs: object = None) -> object:
        """Record a call, or carry it out where it is one of the few that only make data."""
        self.budget.spend_steps(_OBJECT_STEPS)
        if not isinstance(of, Named):
            raise UnreadableError("its pickle calls something other than a named class or function")
        if not isinstance(args, tuple):
            raise UnreadableError(f"its pickle calls {of!r} with something other than arguments")
        if kwargs is not None:
            if not isinstance(kwargs, dict):
                raise UnreadableError(
                    f"its pickle calls {of!r} with something other than arguments"
                )
            return Inert(of, args, kwargs)
        if of.path in self.finishers:
            return _Pending(of, args)
        maker = self.makers.get(of.path)
        made = maker(args, self.budget) if maker else None
        return Inert(of, args) if made is None else made

    def build(self, state: object) -> None:
        """Fill the object on top of the stack, if it is one of the inert ones."""
        target = self.top()
        if isinstance(target, _Pending):
            made = self.finishers[target.path](target, state, self.budget)
            if made is not None:
                target.became = made
                self.stack[-1] = made
                return
        if isinstance(target, Inert):
            target.state = state
        elif target is None or isinstance(target, Named | str | bytes | int | float | tuple):
            raise UnreadableError("its pickle sets attributes on something that has none")
        # What is left are dicts, lists, sets, tensors and arrays: what a pickle hangs on them
        # (the layer versions of a state dict, the hooks of a tensor) is not part of their value.

    def extend(self, items: list[object]) -> None:
        """Append to the list, or to the record of one, on top of the stack."""
        target = self.top()
        if type(target) is list:
            target.extend(items)
        elif isinstance(target, Inert):
            target.items.extend(items)
        else:
            raise UnreadableError("its pickle appends to something that is not a list")

    def update(self, items: list[object]) -> None:
        """Set entries, given as key, value, key, value, of the dict on top of the stack."""
        target = self.top()
        entries = target.entries if isinstance(target, Inert) else target
        if type(entries) is not dict or len(items) % 2:
            raise UnreadableError("its pickle sets entries on something that is not a dictionary")
        for key, value in zip(items[::2], items[1::2], strict=True):
            entries[checked_key(key, self.budget)] = value

    def add(self, items: list[object]) -> None:
        """Add to the set, or to the record of one, on top of the stack."""
        target = self.top()
        if type(target) is set:
            target.update(checked_key(item, self.budget) for item in items)
        elif isinstance(target, Inert):
            target.items.extend(items)
        else:
            raise UnreadableError("its pickle adds to something that is not a set")

    def recall(self, index: int) -> None:
        """Put what the memo holds on the stack."""
        if index not in self.memo:
            raise UnreadableError("its pickle refers to something that it has not said")
        value = self.memo[index]
        if isinstance(value, _Pending) and value.became is not None:
            value = value.became
        self.push(value)

    def memorise(self, index: int) -> None:
        """Keep the value on top of the stack in the memo."""
        if index < 0:
            raise UnreadableError("its pickle uses a negative memo index")
        self.memo[index] = self.top()

    def _floor(self) -> int:
        return self.marks[-1] if self.marks else 0


_INSTRUCTIONS: dict[bytes, Callable[[Machine], None]] = {}


def _instruction(code: bytes) -> Callable[[Callable[[Machine], None]], Callable[[Machine], None]]:
    def register(function: Callable[[Machine], None]) -> Callable[[Machine], None]:
        _INSTRUCTIONS[code] = function
        return function

    return register


# Instructions of one line each; what they mean stands in the standard library's pickletools.
_INSTRUCTIONS.update(
    {
        b"N": lambda m: m.push(None),
        b"\x88": lambda m: m.push(True),
        b"\x89": lambda m: m.push(False),
        b")": lambda m: m.push(()),
        b"]": lambda m: m.push([]),
        b"}": lambda m: m.push({}),
        b"J": lambda m: m.push(struct.unpack("<i", m.source.read(4))[0]),
        b"K": lambda m: m.push(m.number("<B")),
        b"M": lambda m: m.push(m.number("<H")),
        b"G": lambda m: m.push(struct.unpack(">d", m.source.read(8))[0]),
        b"F": lambda m: m.push(float(_digits(m))),
        b"L": lambda m: m.push(int(_digits(m).removesuffix(b"L"))),
        b"\x8a": lambda m: m.push(_long(m, m.number("<B"))),
        b"\x8b": lambda m: m.push(_long(m, m.number("<i"))),
        b"V": lambda m: m.push(m.source.line().decode("raw-unicode-escape")),
        b"X": lambda m: m.push(_text(m, m.number("<I"))),
        b"\x8c": lambda m: m.push(_text(m, m.number("<B"))),
        b"\x8d": lambda m: m.push(_text(m, m.number("<Q"))),
        b"B": lambda m: m.push(m.source.read(m.number("<I"))),
        b"C": lambda m: m.push(m.source.read(m.number("<B"))),
        b"\x8e": lambda m: m.push(m.source.read(m.number("<Q"))),
        b"\x96": lambda m: m.push(bytearray(m.source.read(m.number("<Q")))),
        # Python 2's strings were text and bytes in one: Latin-1 keeps both without loss.
        b"T": lambda m: m.push(m.source.read(m.number("<i")).decode("latin-1")),
        b"U": lambda m: m.push(m.source.read(m.number("<B")).decode("latin-1")),
        b"(": lambda m: m.marks.append(len(m.stack)),
        b"1": lambda m: _discard(m.pop_to_mark()),
        b"2": lambda m: m.push(m.top()),
        b"t": lambda m: m.push(tuple(m.pop_to_mark())),
        b"l": lambda m: m.push(m.pop_to_mark()),
        b"\x85": lambda m: m.push((m.pop(),)),
        b"\x86": lambda m: m.push((m.pop(), m.pop())[::-1]),
        b"\x87": lambda m: m.push((m.pop(), m.pop(), m.pop())[::-1]),
        b"a": lambda m: m.extend([m.pop()]),
        b"e": lambda m: m.extend(m.pop_to_mark()),
        b"s": lambda m: m.update([m.pop(), m.pop()][::-1]),
        b"u": lambda m: m.update(m.pop_to_mark()),
        b"\x90": lambda m: m.add(m.pop_to_mark()),
        b"g": lambda m: m.recall(int(_digits(m))),
        b"h": lambda m: m.recall(m.number("<B")),
        b"j": lambda m: m.recall(m.number("<I")),
        b"p": lambda m: m.memorise(int(_digits(m))),
        b"q": lambda m: m.memorise(m.number("<B")),
        b"r": lambda m: m.memorise(m.number("<I")),
        b"\x94": lambda m: m.memorise(len(m.memo)),
        b"c": lambda m: m.push(_global(m)),
        b"b": lambda m: m.build(m.pop()),
    }
)


def _discard(_: object) -> None:
    pass


def _digits(machine: Machine) -> bytes:
    line = machine.source.line()
    if len(line) > _LONGEST_NUMBER:
        raise UnreadableError("its pickle has a number of absurd length")
    return line


def _long(machine: Machine, count: int) -> int:
    if count > _LONGEST_NUMBER:
        raise UnreadableError("its pickle has a number of absurd length")
    return int.from_bytes(machine.source.read(count), "little", signed=True)


def _text(machine: Machine, count: int) -> str:
    return machine.source.read(count).decode("utf-8", "surrogatepass")


def _global(machine: Machine) -> Named:
    module = machine.source.line().decode("utf-8")
    return named(module, machine.source.line().decode("utf-8"))


@_instruction(b"\x80")
def _protocol(machine: Machine) -> None:
    if (version := machine.number("<B")) > 5:
        raise UnreadableError(f"its pickle has protocol {version}, and the newest known is 5")


@_instruction(b"\x95")
def _frame(machine: Machine) -> None:
    # A frame is a hint for reading ahead; it only has to be true.
    if machine.number("<Q") > machine.source.left:
        raise UnreadableError("it ends before the data that it announces")


@_instruction(b"I")
def _int_or_bool(machine: Machine) -> None:
    digits = _digits(machine)
    machine.push({b"00": False, b"01": True}[digits] if digits in (b"00", b"01") else int(digits))


@_instruction(b"S")
def _quoted(machine: Machine) -> None:
    line = machine.source.line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
        raise UnreadableError("its pickle has a string without quotes")
    machine.push(codecs.escape_decode(line[1:-1])[0].decode("latin-1"))


@_instruction(b"0")
def _pop(machine: Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


@_instruction(b"d")
def _dict(machine: Machine) -> None:
    items = machine.pop_to_mark()
    machine.push({})
    machine.update(items)


@_instruction(b"\x8f")
def _empty_set(machine: Machine) -> None:
    machine.budget.spend_steps(2)  # an empty set takes three times what a list takes
    machine.push(set())


@_instruction(b"\x91")
def _frozenset(machine: Machine) -> None:
    machine.budget.spend_steps(2)
    machine.push(frozenset(checked_key(item, machine.budget) for item in machine.pop_to_mark()))


@_instruction(b"\x93")
def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.push(named(module, name))


@_instruction(b"R")
def _reduce(machine: Machine) -> None:
    args, of = machine.pop(), machine.pop()
    machine.push(machine.make(of, args))


_INSTRUCTIONS[b"\x81"] = _reduce  # NEWOBJ: a class instead of a function, and the same record


@_instruction(b"\x92")
def _new_with_keywords(machine: Machine) -> None:
    kwargs, args, of = machine.pop(), machine.pop(), machine.pop()
    machine.push(machine.make(of, args, kwargs))


@_instruction(b"i")
def _instance(machine: Machine) -> None:
    of = _global(machine)
    machine.push(machine.make(of, tuple(machine.pop_to_mark())))


@_instruction(b"o")
def _object(machine: Machine) -> None:
    items = machine.pop_to_mark()
    if not items:
        raise UnreadableError("its pickle makes an object without a class")
    machine.push(machine.make(items[0], tuple(items[1:])))


@_instruction(b"Q")
def _persistent(machine: Machine) -> None:
    if machine.persistent_load is None:
        raise UnreadableError(
            "its pickle refers to data outside it, which this kind of file has not"
        )
    machine.budget.spend_steps(_OBJECT_STEPS)
    machine.push(machine.persistent_load(machine.pop()))


@_instruction(b"P")
def _persistent_line(machine: Machine) -> None:
    raise UnreadableError(
        "its pickle refers to data outside it by a line of text, as no checkpoint does"
    )


def _extension(machine: Machine) -> None:
    raise UnreadableError("its pickle uses the extension registry, which no checkpoint does")


def _outside_buffer(machine: Machine) -> None:
    raise UnreadableError(
        "its pickle expects buffers that came beside it, which a file cannot have"
    )


_INSTRUCTIONS.update(dict.fromkeys((b"\x82", b"\x83", b"\x84"), _extension))
_INSTRUCTIONS.update(dict.fromkeys((b"\x97", b"\x98"), _outside_buffer))
