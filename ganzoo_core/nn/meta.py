"""Building networks on the meta device, where there is nothing to initialise."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.overrides import TorchFunctionMode


@contextmanager
def without_initialisation() -> Iterator[None]:
    """Let the functions of `torch.nn.init` return their tensor as it is.

    On the meta device they would draw nothing, but the first of them makes PyTorch import its
    symbolic decompositions, which takes seconds.
    """
    with _WithoutInitialisation():
        yield


class _WithoutInitialisation(TorchFunctionMode):
    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(function, "__module__", None) == "torch.nn.init":
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return function(*args, **kwargs)
