"""One time step of neurons whose threshold adapts: each spike raises it, and it returns with a time constant.

Source: the adaptive neurons of SpikingEDN (Zhang et al., arXiv 2304.11857), u = d m + I, s = [u > v_th + beta a],
m = (1 - s) u, a' = rho a + s. The membrane is Norse's box, which is the same with the current in units of its decay; as
all time constants here, that of the adaptation makes an explicit Euler step, rho = 1 - dt / tau_adapt, where the paper
has an exponential. Gradients flow through the threshold and through the adaptation, and the surrogate is centred at the
threshold of the step. Norse's own LSNN (Bellec et al., NeurIPS 2018) is another step: it has a synaptic current, which
arrives one step late, and a spike decays once before it first counts.
"""

from __future__ import annotations

from typing import NamedTuple

from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step
from torch import Tensor

from evonas.architecture.neuron import Surrogate
from evonas.snn.kernels.surrogates import with_surrogates

_box_step = with_surrogates(lif_box_feed_forward_step)


class AdaptiveParameters(NamedTuple):
    """Parameters in the form of Norse's: rates in 1/s, each a tensor that broadcasts to `(batch, ...)`.

    Attributes:
        tau_mem_inv: Rate of the membrane.
        tau_adapt_inv: Rate with which the threshold returns.
        v_leak: Potential to which the membrane decays.
        v_th: Threshold without adaptation.
        v_reset: Potential after a spike.
        beta: What a spike adds to the threshold.
        method: The surrogate gradient.
    """

    tau_mem_inv: Tensor
    tau_adapt_inv: Tensor
    v_leak: Tensor
    v_th: Tensor
    v_reset: Tensor
    beta: Tensor
    method: Surrogate


class AdaptiveState(NamedTuple):
    """`(batch, ...)` membrane potential `v` and adaptation `a`, in spikes."""

    v: Tensor
    a: Tensor


def adaptive_step(
    current: Tensor, state: AdaptiveState, p: AdaptiveParameters, dt: float = 0.001
) -> tuple[Tensor, AdaptiveState]:
    """Return `(batch, ...)` spikes in {0, 1}, and the state behind them."""
    box = LIFBoxParameters(p.tau_mem_inv, p.v_leak, p.v_th + p.beta * state.a, p.v_reset, p.method, 1.0)
    spikes, (v,) = _box_step(current, LIFBoxFeedForwardState(state.v), box, dt)
    return spikes, AdaptiveState(v, state.a + -dt * p.tau_adapt_inv * state.a + spikes)
