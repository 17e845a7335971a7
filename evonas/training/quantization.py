"""Quantisation: weights as whole multiples of a step, in training and for good."""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from functools import partial

import torch
from torch import Tensor

from evonas.snn.network import Network
from evonas.training.chip_weights import chip_weights, weights_changed


def rounded(weights: Tensor, *, bits: int) -> Tensor:
    """Return weights rounded to whole multiples of one step, which is so wide that the largest is 2^(bits - 1) - 1.

    With 8 bits they are -127 to 127 steps. The scale is symmetric: 0 is one of the values.

    Args:
        weights: Of one connection, norms folded in.
        bits: Of a weight, its sign included.
    """
    step = weights.abs().max() / (2 ** (bits - 1) - 1)
    return weights if step == 0 else (weights / step).round() * step


def rounded_while_trained(network: Network, *, bits: int) -> AbstractContextManager[None]:
    """Return a context for one training step, loss and gradients: a network computes with rounded weights.

    Afterwards it has its own weights again, to which the optimiser adds the gradients of the rounded ones: the
    straight-through estimate. The largest weight sets the step, so that none is cut off. Batch norms are folded by
    their running statistics to find the steps, while currents are normalised by those of the batch; once the network
    is evaluated, both are the same.

    Source: the straight-through estimate: Bengio, Léonard and Courville (arXiv 1308.3432), with weights that are kept
    beside the rounded ones as in BinaryConnect (Courbariaux et al., NeurIPS 2015). Norms folded in while training:
    Jacob et al., CVPR 2018, section 3.2; running statistics for the steps and the batch's for the currents:
    Krishnamoorthi (arXiv 1806.08342), section 3.2.2. There statistics are frozen at some time; here the learning rate
    falls to 0. Outputs are spikes, so that nothing but weights is rounded; biases and constants of neurons stay what
    they are.

    Args:
        network: In the mode of training.
        bits: Of a weight, its sign included.
    """
    return weights_changed(network, partial(rounded, bits=bits))


@torch.no_grad()
def quantized(network: Network, *, bits: int) -> Network:
    """Return a copy of a network, in evaluation, whose weights are what a chip holds: rounded, norms folded in.

    Its norms add their biases and do nothing else, so that whatever is saved or exported holds these very weights.
    Within a loop the length of the weights is divided by as before, and multiplied by again.

    Args:
        network: Trained, such as by steps that were `rounded_while_trained`.
        bits: Of a weight, its sign included.
    """
    copied = copy.deepcopy(network).eval()
    for one in chip_weights(copied):
        one.keep(rounded(one.folded(), bits=bits))
    return copied
