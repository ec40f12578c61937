"""Counting the work of a training step, in forward-equivalents of each network.

Every floating-point operation that PyTorch dispatches is attributed to a layer: in the forward pass
to the innermost module that is running and the weight that it multiplies by; in a backward pass to
the layer whose forward pass made the autograd node that is running. A node that is made by another
node's backward pass (`create_graph=True`) belongs to the same layer, so that double backward passes
are counted too.

A layer's work over a step, divided by its work in one forward pass of one batch, is its number of
passes; that of a network is the largest of its layers', since the first layer is spared the
gradient for its input.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ganzoo_core.training.engine import Engine

_aten = torch.ops.aten
_MATRIX_PRODUCTS = {_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten._scaled_mm}


def count_passes(engine: Engine, steps: int | None = None) -> dict[str, float]:
    """Count what a step of the engine's current stage costs each network, in forward-equivalents.

    One forward pass of a batch counts 1; a backward pass through a frozen network for its input's
    gradient counts 1, one that also computes weight gradients 2. Accumulated batches count as one.

    Args:
        engine: is stepped, with whatever that changes.
        steps: how many steps to take the mean over; as many as it takes for every phase to come
            round (the least common multiple of their `every`) unless given.

    Returns:
        passes by role; 0 for a network that did nothing
    """
    steps = steps or math.lcm(*(phase.every for phase in engine.stage.phases))
    share = engine.batch_size // engine.processes.count
    images = share * engine.settings.accumulate * steps
    with counting(engine.networks) as count:
        for _ in range(steps):
            engine.step()
    return {role: count.images(role) / images for role in engine.networks}


class Layer(NamedTuple):
    """A module and one of its weights, by identity; 0 where the weight was made of activations."""

    module: nn.Module
    weight: int


class Count:
    """The work of some networks, layer by layer."""

    def __init__(self, networks: Mapping[str, nn.Module]) -> None:
        self._home: dict[nn.Module, str] = {}
        for role, network in networks.items():
            for layer in network.modules():
                self._home.setdefault(layer, role)
        self.work: dict[Layer, float] = defaultdict(float)
        """Floating-point operations of each layer, forward and backward."""
        self.unit: dict[Layer, float] = {}
        """Operations of each layer in a forward pass of its network, for one image."""

    def images(self, role: str) -> float:
        """Return how many images' forward passes a network's work amounts to."""
        return max(
            (
                self.work[layer] / unit
                for layer, unit in self.unit.items()
                if self._home[layer.module] == role
            ),
            default=0.0,
        )


@contextmanager
def counting(networks: Mapping[str, nn.Module]) -> Iterator[Count]:
    """Count the work that `networks` do within the block."""
    count = Count(networks)
    watch = _Watch(networks, count)
    # On one thread, the numbers of autograd's nodes are unique, whatever the device.
    with ExitStack() as stack, torch.autograd.set_multithreading_enabled(False):
        for layer in {layer for network in networks.values() for layer in network.modules()}:
            # First, so that weights which other hooks compute are seen to be the layer's.
            before = layer.register_forward_pre_hook(watch.enter, prepend=True, with_kwargs=True)
            after = layer.register_forward_hook(watch.leave, always_call=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        with watch:
            yield count


def _next_node_number() -> int:
    number: int = torch.autograd._get_sequence_nr()  # type: ignore[attr-defined]
    return number


class _Owner(NamedTuple):
    """Whose work an autograd node does."""

    layer: Layer
    operations: float
    """Of each group of the forward operation that made the node; undoing it once costs no more."""


class _Watch(TorchDispatchMode):
    """Sees every operation, and knows which module is running."""

    def __init__(self, networks: Mapping[str, nn.Module], count: Count) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._count = count
        self._running: list[nn.Module] = []
        self._call: dict[Layer, float] = defaultdict(float)
        """Work of the outermost call that is running."""
        self._rows = 0
        self._owners: dict[int, _Owner] = {}
        self._nodes_seen = _next_node_number()
        # What derives from weights alone (transposed, scaled, normalised, cast) is that weight too,
        # by the identity of the original. Holding the tensors keeps identities unique.
        self._weights = {
            id(tensor): (tensor, id(tensor))
            for network in networks.values()
            for tensor in (*network.parameters(), *network.buffers())
        }

    def enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A module begins."""
        self._claim_new_nodes(None)
        if not self._running:
            inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            self._rows = len(inputs[0]) if inputs and inputs[0].dim() else 1
            self._call.clear()
        self._running.append(module)

    def leave(self, module: nn.Module, args: object, output: object) -> None:
        """A module ends; the first outermost call that reaches a layer sets its unit."""
        self._claim_new_nodes(None)
        self._running.pop()
        if not self._running:
            for layer, work in self._call.items():
                self._count.unit.setdefault(layer, work / self._rows)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        packet = func._overloadpacket
        node: Any = torch._C._current_autograd_node()
        if self._running:
            self._forward(packet, args, kwargs, result)
        elif node is not None:
            self._backward(packet, args, kwargs, result, self._owners.get(node._sequence_nr()))
        else:
            self._claim_new_nodes(None)
        return result

    def _forward(self, packet: Any, args: Any, kwargs: Any, result: Any) -> None:
        operands = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        weights = [tensor for tensor in operands if id(tensor) in self._weights]
        origin = self._weights[id(max(weights, key=Tensor.numel))][1] if weights else 0
        if weights and len(weights) == len(operands):
            made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            self._weights |= {id(tensor): (tensor, origin) for tensor in made}
        if packet not in flop_registry:
            return
        if packet is not _aten.convolution and not (packet in _MATRIX_PRODUCTS and weights):
            # A product of activations, as in attention, has no weights: it is not a layer's pass.
            self._claim_new_nodes(None)
            return
        layer = Layer(self._running[-1], origin)
        operations = float(flop_registry[packet](*args, **kwargs, out_val=result))
        self._count.work[layer] += operations
        self._call[layer] += operations
        self._claim_new_nodes(_Owner(layer, operations / _groups(packet, args)))

    def _backward(
        self, packet: Any, args: Any, kwargs: Any, result: Any, owner: _Owner | None
    ) -> None:
        self._claim_new_nodes(owner)
        if owner is None or packet not in flop_registry:
            return
        operations = float(flop_registry[packet](*args, **kwargs, out_val=result))
        # The formula does not know groups, and PyTorch computes some weight gradients with a margin
        # that it cuts off: count what undoing the forward operation needs, at most.
        gradients = sum(map(bool, args[-1][:2])) if packet is _aten.convolution_backward else 1
        most = gradients * _groups(packet, args) * owner.operations
        self._count.work[owner.layer] += min(operations, most)

    def _claim_new_nodes(self, owner: _Owner | None) -> None:
        """Let the autograd nodes that were made since the last call do the work of `owner`.

        PyTorch makes an operation's node right before it dispatches the operation; a node of Python
        (`torch.autograd.Function`) is there before the operations of its forward pass.
        """
        made = _next_node_number()
        if owner:
            for number in range(self._nodes_seen, made):
                self._owners[number] = owner
        self._nodes_seen = made


def _groups(packet: Any, args: tuple[Any, ...]) -> int:
    """Return in how many groups a convolution works."""
    if packet is _aten.convolution:
        return int(args[8])
    return int(args[9]) if packet is _aten.convolution_backward else 1
