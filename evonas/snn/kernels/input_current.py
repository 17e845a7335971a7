"""The current of a population: what its connections deliver, normalised or times a gain, and summed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from torch import Tensor

from evonas.errors import EvonasError
from evonas.snn.kernels.backend import way
from evonas.snn.kernels.compiled_currents import CompiledCurrents
from evonas.snn.operations import Operation, scaled


def summed(operations: Sequence[Operation], images: Sequence[Tensor], *, batch: int) -> Tensor:
    """Return the `(time, batch, ...)` current that `operations` make of `images`: its time is 1 where all are static.

    In training on a CPU, the batch norms are computed with the sum in one compiled pass. Its currents are torch's up to
    rounding: the sums over the batch are added in another order. In evaluation they are torch's to the last bit.

    Args:
        operations: One for each connection.
        images: `(time x batch, c, h, w)` what each connection reads, `(batch, c, h, w)` where that is static.
        batch: Samples.
    """
    delivered = [operation(read) for operation, read in zip(operations, images, strict=True)]
    scales = [operation.scale for operation in operations]
    compiled = _compiled() if way() == "fastest" and delivered[0].device.type == "cpu" else None
    if compiled is not None and compiled.takes(delivered, scales):
        current: Tensor = compiled.sum(delivered, scales).unflatten(0, (-1, batch))
        return current
    currents = [scaled(one, scale) for one, scale in zip(delivered, scales, strict=True)]
    current, *others = [current.unflatten(0, (-1, batch)) for current in currents]
    for other in others:
        current = current + other
    return current


@cache
def _compiled() -> CompiledCurrents | None:
    """Return the compiled sums; None where they cannot be compiled, which the neurons' scan says for both."""
    try:
        return CompiledCurrents()
    except EvonasError:
        return None
