"""Named parts of the latent: which there are, setting them, and grids in which they move."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganzoo_core.components import Generator, ImageNoise, LatentCode
from ganzoo_core.errors import UnknownNameError, UnsupportedError
from ganzoo_core.verbs.parts import Labels, asked_labels, check_positive, find, generated, need

if TYPE_CHECKING:
    from ganzoo_core.model import Model


def codes_of(model: "Model") -> Mapping[str, LatentCode]:
    """Return the parts of the latent that can be set by name.

    They are those that the generator names, such as an InfoGAN's c1; where it names none, each
    number of a latent [latent_size] is one, from z0 on.
    """
    generator = find(model, Generator)
    if generator is None:
        return {}
    if generator.codes:
        return generator.codes
    if len(generator.latent_shape) != 1:
        return {}
    return {f"z{number}": LatentCode(number) for number in range(generator.latent_shape[0])}


def with_code(model: "Model", latents: Tensor, name: str, values: Tensor) -> Tensor:
    """Return latents in which a code is set: to values [N].

    Raises:
        UnknownNameError: there is no such code.
        UnsupportedError: it cannot have such a value.
    """
    known = model.codes
    if name not in known:
        raise UnknownNameError("code", name, known, f"the latent of {model.variant}")
    code = known[name]
    if code.categorical:
        whole = values == values.round()
        if not bool((whole & (values >= 0) & (values < code.size)).all()):
            raise UnsupportedError(
                f"the code {name} of {model.variant} is one of 0 to {code.size - 1}, and was "
                f"given {values.tolist()[0]:g}"
                if len(values.unique()) == 1
                else f"the code {name} of {model.variant} is one of 0 to {code.size - 1}"
            )
    return code.written(latents, values.to(latents.device))


def traverse(
    model: "Model",
    codes: Mapping[str, Sequence[float]],
    *,
    count: int = 8,
    seed: int = 0,
    labels: Labels = None,
) -> Tensor:
    """Draw a grid in which one or two codes take values in turn and all else stays.

    Args:
        codes: one code with its values, which go along the columns while each row has a latent
            of its own; or two, the first down the rows and the second along the columns, all
            of one latent. Codes with a single value are set throughout.
        count: rows, where only one code moves.
        seed: of the latents.
        labels: of a conditional model, as for `sample`: one for all, or one for each row.

    Returns:
        [rows, columns, channels, height, width], in [-1, 1], on the CPU

    Raises:
        UnsupportedError: no such code, or none or more than two that move.
    """
    generator = need(model, Generator, "traverse its codes")
    moving = [name for name, values in codes.items() if len(values) > 1]
    if not 1 <= len(moving) <= 2:
        raise UnsupportedError(
            f"a grid has one or two codes that move, not {len(moving)}; give one or two of "
            "them several values, such as c1=0:9"
        )
    *down, along = moving
    rows = len(codes[down[0]]) if down else count
    check_positive(count=count)
    asked = asked_labels(model, generator, labels, rows)
    pictures = []
    for row in range(rows):
        columns = len(codes[along])
        # Every image of a row has the same noise, so that only the codes move.
        noise = ImageNoise(seed, [0 if down else row] * columns, model.device)
        latents = generator.latents(columns, noise)
        for name, values in codes.items():
            its = torch.tensor(values, dtype=torch.float64)
            if name != along:
                its = its[row if name in down else 0].expand(columns)
            latents = with_code(model, latents, name, its)
        its_labels = None if asked is None else asked[row].expand(columns)
        pictures.append(generated(model, generator, latents, noise, its_labels))
    return torch.stack(pictures)
