"""What may be a dictionary key or a set's member.

Hashing is the one place where plain data costs more than its size: a tuple of tuples hashes in
exponential time or overflows the C stack, and whole numbers, complex numbers and tuples can be
chosen so that all of them collide. Strings and bytes hash with a secret of the process, records
and tensors by identity.
"""

import numpy as np
import torch

from ganzoo_core.hub._inert.standins import Budget, Inert, Named, UnreadableError

_LARGEST_INT = 2**61 - 2  # above it, CPython's hash of a whole number begins anew
_LONGEST_TUPLE = 16
_PLAIN = (type(None), str, bytes, bool, float, np.bool_, np.integer, Named, torch.Tensor)


def checked_key(key: object, budget: Budget) -> object:
    """Return the key, or refuse the file for it."""
    if _is_plain(key):
        return key
    if isinstance(key, tuple) and len(key) <= _LONGEST_TUPLE and all(map(_is_plain, key)):
        budget.spend_tuple_key()
        return key
    raise UnreadableError("it has a dictionary key or set member of a kind that no checkpoint has")


def _is_plain(key: object) -> bool:
    if type(key) is int:
        return abs(key) <= _LARGEST_INT
    # A subclass of Inert is an array that is still being read, and must not be kept as a key.
    return type(key) is Inert or isinstance(key, _PLAIN)
