"""What a server on the way to a user may do wrong, chosen by a test for the paths that it names."""

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """One thing that goes wrong in the answers to requests whose path contains a pattern.

    A fault that changes the body (`cut_after`, `damaged`, `truncated_to`, `slow`) leaves an answer
    to HEAD and an error as they are, and such an answer does not count as one of its `times`.
    A fault has an effect of one kind.
    """

    pattern: str
    """A regular expression that is searched in the path of the request, on either host."""
    times: int | None = None
    """How many answers it spoils; None is all of them."""
    methods: tuple[str, ...] = ("GET", "HEAD", "POST", "PUT")
    status: int | None = None
    """Answer with this HTTP error instead."""
    retry_after: int | None = None
    """The seconds that the error's `Retry-After` header names."""
    cut_after: int | None = None
    """Break the connection after so many bytes of the body."""
    damaged: bool = False
    """Send as many bytes as are right, but wrong ones."""
    truncated_to: int | None = None
    """Send only the first bytes, and a `Content-Length` that says so."""
    stall: float | None = None
    """Seconds of silence before the answer, to any method."""
    slow: float | None = None
    """Seconds to wait before each sixteenth of the body."""

    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def strikes(self, method: str, path: str) -> bool:
        """Whether this answer is to be spoiled; it counts down `times` where it is."""
        if method not in self.methods or not re.search(self.pattern, path):
            return False
        with self._lock:
            if self.times is None:
                return True
            self.times -= 1
            return self.times >= 0

    @property
    def spoils_the_body(self) -> bool:
        return self.status is None and self.stall is None

    def spoil(self, body: bytes) -> bytes:
        """Return the bytes that are sent instead of the right ones."""
        if self.damaged:
            return bytes(byte ^ 0xFF for byte in body)
        if self.truncated_to is not None:
            return body[: self.truncated_to]
        return body
