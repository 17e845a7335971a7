"""A connection that is to be added to a draft, as a space names it: without shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evonas.architecture.constant import Constant
from evonas.architecture.gate import is_gate
from evonas.architecture.neuron import Dynamics
from evonas.architecture.plan import NORMALISED, OF_RELAYS
from evonas.errors import SpaceError
from evonas.measurement import Shape


@dataclass(frozen=True)
class Incoming:
    """A connection to be added: its sources and operation; shapes are derived.

    Attributes:
        name: Unique in its network.
        sources: Populations (or `"input"`) whose outputs are concatenated.
        operation: One of `OPERATIONS`. `"max_pool"` goes into relays alone: a chip adds up what arrives at a neuron,
            so that the largest needs units of its own; so does `"resize"`, whose outputs are inputs, and so do gates,
            whose outputs are products.
        channels: Output channels of `conv` and `dense` (classes of `linear`, `flat_linear` and `vote`, which takes the
            mean of as many groups of channels side by side); the others keep the number.
        kernel: Side of the kernel; odd, or for `pool` and `max_pool` equal to the stride: the windows then lie side by
            side from the first pixel on, the last ones cut off by the border. A gate with 1 has that of its paper.
        stride: Stride of the kernel; `resize` picks one of so many rows and columns, from the first on.
        repeats: How often `resize` repeats each row and column.
        depthwise: Whether each channel is connected with itself only.
        delay: Time steps ago at which the sources are read; before the first step of a sample they are zero.
        gain: Factor of the current, of `conv`, `dense` and `norm` before training: their norm has it and is trained.
            None is one over the deviation of the neurons that it drives, so that potentials of any kind of neuron with
            any time constants begin of order one, as thresholds are; 1 where they do not spike. That of the others is
            not trained; None is `READOUT_GAIN`, `POOL_GAIN` or `SKIP_GAIN`, into relays 1; `OF_RELAYS` have none. Those
            of `conv`, `dense`, `norm`, `pool` and `skip` may differ among the channels of the target.
        votes: Rows of trained weights whose mean is the weights of a class, of `linear` and `flat_linear`: a vote
            among outputs without neurons. Behind neurons it is the operation `vote`.
        dropout: Probability with which an element of the input is left out of a sample in training, at all of its time
            steps; the others are divided by one less it. Evaluation and counting leave nothing out.
        temperature: Of Dspike, for this connection alone: the gradient that reaches it is the one that neurons of this
            temperature would hand to it. None is the temperature of its target.
        reduction: Channels or time steps for each hidden unit of a gate that has some.
    """

    name: str
    sources: tuple[str, ...]
    operation: str
    channels: int = 0
    kernel: int = 1
    stride: int = 1
    repeats: int = 1
    depthwise: bool = False
    delay: int = 0
    gain: Constant | None = None
    votes: int = 1
    dropout: float = 0.0
    temperature: float | None = None
    reduction: int = 4


def check_numbers(edge: Incoming, in_shape: Shape, *, target: Dynamics) -> None:
    """Check that an operation can have the numbers that it is given; raise `SpaceError` otherwise."""
    if edge.temperature is not None:
        _check_temperature(edge, edge.temperature, target)
    if edge.gain is not None and edge.operation in OF_RELAYS:
        raise SpaceError(
            f"The {edge.operation} {edge.name!r} hands on elements as they are, got gain {edge.gain}. Leave it out."
        )
    if isinstance(edge.gain, tuple):
        _check_gains(edge, edge.gain, channels=edge.channels or in_shape[0])
    if is_gate(edge.operation) and (edge.channels or edge.stride != 1):
        raise SpaceError(
            f"The gate {edge.name!r} keeps channels, height and width, got channels {edge.channels} and stride "
            f"{edge.stride}. Leave them out."
        )
    is_resize = edge.operation == "resize"
    if edge.repeats < 1 or (edge.repeats > 1 and (edge.stride > 1 or not is_resize)) or (is_resize and edge.kernel > 1):
        raise SpaceError(
            f"A resize has a kernel of 1 and either a stride or repeats, and nothing else repeats, got {edge.name!r}, "
            f"a {edge.operation} with kernel {edge.kernel}, stride {edge.stride} and repeats {edge.repeats}."
        )
    has_rows = edge.operation in ("linear", "flat_linear")
    if edge.votes < 1 or (edge.votes > 1 and not has_rows):
        raise SpaceError(
            f"The votes of the connection {edge.name!r} must be 1 or more, and 1 unless it is linear or flat_linear, "
            f"got {edge.votes} of {edge.operation!r}. The vote of neurons is the operation 'vote'."
        )
    if edge.operation != "vote":
        return
    channels, height, width = in_shape
    if len(edge.sources) != 1 or height * width != 1 or edge.channels < 1 or channels % edge.channels:
        raise SpaceError(
            f"The vote {edge.name!r} must read one source with one position and as many channels for each class, got "
            f"{len(edge.sources)} of {channels} x {height} x {width} for {edge.channels} classes. Connect it to a "
            "dense layer with a multiple of the classes as channels."
        )


def _check_temperature(edge: Incoming, temperature: float, target: Dynamics) -> None:
    if not (target.is_spiking and target.surrogate.method == "dspike"):
        method = f" with the surrogate {target.surrogate.method!r}" if target.is_spiking else ""
        raise SpaceError(
            f"The connection {edge.name!r} has the temperature {temperature} of Dspike and leads to neurons of kind "
            f"{target.kind!r}{method}. Give these the surrogate 'dspike', or leave the temperature out."
        )
    replace(target.surrogate, temperature=temperature)  # checks the number


def _check_gains(edge: Incoming, gains: tuple[float, ...], *, channels: int) -> None:
    if edge.operation not in (*NORMALISED, "pool", "skip"):
        raise SpaceError(f"All channels of the {edge.operation} {edge.name!r} have one gain, got {len(gains)}.")
    if len(gains) != channels:
        raise SpaceError(f"The current of {edge.name!r} has {channels} channels, got {len(gains)} gains for them.")
