"""Surrogate gradients with a width, and their way into Norse's own steps."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

import torch
from norse.torch.functional.heaviside import heaviside
from norse.torch.functional.threshold import threshold
from torch import Tensor

from evonas.architecture.neuron import Surrogate
from evonas.errors import EvonasError
from evonas.snn.kernels.backend import is_traced

ROOT_OF_PI = float(torch.tensor(math.pi, dtype=torch.float32).sqrt())
"""In single precision, as in Norse, also among numbers in double precision."""


class Dspike(torch.autograd.Function):
    """`(...)` spikes in {0, 1}; backward, a bump of unit area on |x| < 0.5.

    Source: Li et al., Differentiable Spike (NeurIPS 2021), the derivative of its Dspike function. There the temperature
    b is adapted during training; here it is a constant, and the width is what training can search.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, temperature: float) -> Tensor:
        """Return 1 where `x` is strictly positive, else 0."""
        ctx.save_for_backward(x)
        ctx.temperature = temperature
        spikes: Tensor = heaviside(x)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        """Return b / cosh(b x)^2 / (2 tanh(b / 2)) times the incoming gradient, 0 beyond |x| = 0.5."""
        (x,) = ctx.saved_tensors
        b = ctx.temperature
        bump = b / torch.cosh(b * x).square() / (2 * math.tanh(b / 2))  # 1 - tanh^2 would cancel
        return grad_outputs[0] * bump * (x.abs() < 0.5), None


class ArcTangent(torch.autograd.Function):
    """`(...)` spikes in {0, 1}; backward, the derivative of an arctangent, a bump of unit area with wide tails.

    Source: Fang et al., Incorporating learnable membrane time constant to enhance learning of spiking neural networks
    (ICCV 2021), its surrogate of slope 2.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return 1 where `x` is strictly positive, else 0."""
        ctx.save_for_backward(x)
        spikes: Tensor = heaviside(x)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        """Return 1 / (1 + (pi x)^2) times the incoming gradient."""
        (x,) = ctx.saved_tensors
        gradient: Tensor = grad_outputs[0] / (1 + (math.pi * x).square())
        return gradient


def spike(x: Tensor, surrogate: Surrogate, alpha: object = None) -> Tensor:
    """Return `(...)` spikes in {0, 1}: 1 where `x`, membrane potential minus threshold, is strictly positive.

    The width is the same thing for every method: Norse's own function is applied to `x / width` with its alpha at 1,
    so that by the chain rule the gradient is that of width 1 stretched along `x` and divided by `width`. The area
    under it stays the same. (Norse's alpha would be a width for some methods, a height for triangle and nothing for
    SuperSpike.) Dividing by a positive number keeps the sign, so all methods give the same spikes.

    Args:
        x: `(...)` membrane potential minus threshold.
        surrogate: Method and width.
        alpha: Ignored; Norse's steps hand it over.
    """
    if is_traced():
        return _traced_spike(x, surrogate)
    scaled = x if surrogate.width == 1 else x / surrogate.width
    spikes: Tensor
    match surrogate.method:
        case "dspike":
            spikes = Dspike.apply(scaled, surrogate.temperature)
        case "atan":
            spikes = ArcTangent.apply(scaled)
        case norses:
            spikes = threshold(scaled, norses, 1.0)
    return spikes


def _traced_spike(x: Tensor, surrogate: Surrogate) -> Tensor:
    """Return what `spike` returns, with its gradient as operations of torch: a trace would lose our backward pass."""
    spikes = (x > 0).to(x.dtype)
    if torch.onnx.is_in_onnx_export():
        return spikes  # ONNX models have no gradient
    nothing = x - x.detach()  # zero, and its derivative is one
    return spikes + derivative(x.detach(), surrogate) * nothing


def derivative(above: Tensor, surrogate: Surrogate) -> Tensor:
    """Return the surrogate derivative of the spike at `above`: potential minus threshold.

    It is the gradient of `spike`, in the form with the fewest operations.
    """
    x = above / surrogate.width
    match surrogate.method:
        case "super":
            bump = 1 / (x.abs() + 1).square()
        case "triangle":
            bump = torch.relu(1 - x.abs())
        case "tanh":
            bump = 1 - x.tanh().square()
        case "circ":
            bump = (1 + x.square()).pow(-1.5)
        case "heavi_erfc":
            bump = 2 / ROOT_OF_PI * torch.exp(-x.square())
        case "atan":
            bump = 1 / (1 + (math.pi * x).square())
        case _:
            b = surrogate.temperature
            bump = b / torch.cosh(b * x).square() / (2 * math.tanh(b / 2)) * (x.abs() < 0.5)
    return bump / surrogate.width


def with_surrogates(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return Norse's `step` for parameters whose `method` is a `Surrogate` instead of a name.

    The code stays Norse's; only the global name `threshold` that it calls is bound to `spike`.

    Raises:
        EvonasError: If the step does not call a global `threshold`.
    """
    if "threshold" not in step.__code__.co_names or "threshold" not in step.__globals__:
        raise EvonasError(
            f"Norse's {step.__name__} does not call a global function `threshold`, so it cannot be given our surrogate "
            "gradients. evonas is written for norse 1.1: install that version."
        )
    return types.FunctionType(
        step.__code__, {**step.__globals__, "threshold": spike}, step.__name__, step.__defaults__, step.__closure__
    )
