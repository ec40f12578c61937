"""Seeds out of several numbers, for generators of any library."""


def mixed_seed(*numbers: int) -> int:
    """Return a seed of 63 bits in which neighbouring numbers give unrelated generators."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        # splitmix64's finaliser: every bit of the input reaches every bit of the output.
        state = (state ^ (number & _MASK)) * 0xBF58476D1CE4E5B9 & _MASK
        state = (state ^ (state >> 30)) * 0x94D049BB133111EB & _MASK
        state = state ^ (state >> 31)
    return state >> 1


_MASK = (1 << 64) - 1
