"""A mixture of networks: the probabilities of all options, and the constants that its networks share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

KINDS = ("lif", "lif_box", "integrate_and_fire", "alif", "analog")
"""The kinds of neurons, in the order of `NetworkMixture.kinds`."""

CONSTANTS = ("tau_mem_ms", "tau_syn_ms", "v_th", "tau_adapt_ms", "beta")
"""The constants of a stage, in the order of `NetworkMixture.constants`."""


@dataclass(frozen=True)
class NetworkMixture:
    """Probabilities, float64 on the CPU. If all are 0 or 1, the mixture is a single network.

    Attributes:
        edges: For each node `(pairs + 1,)` inclusion probabilities of (source, operation) pairs, "none" as the last.
        moves: For each layer `(levels that choose, 2)` probabilities of staying and of going down.
        kinds: `(stages, kinds)` probabilities of the kinds of neurons.
        resets: `(stages, resets)` probabilities of the resets of `lif_box`.
        time_steps: `(options,)` probabilities of the numbers of time steps.
        scopes: `(stages, scopes)` probabilities that a stage has its constants once (the mean of its groups), or
            one for each group of its channels: `evonas.architecture.constant.SCOPES`.
        constants: `(stages, groups, 5)` values of `CONSTANTS`, shared by all kinds of neurons of a stage.
        readout_tau_mem_ms: `()` membrane time constant of the readout.
    """

    edges: tuple[Tensor, ...]
    moves: tuple[Tensor, ...]
    kinds: Tensor
    resets: Tensor
    time_steps: Tensor
    scopes: Tensor
    constants: Tensor
    readout_tau_mem_ms: Tensor

    def detached(self) -> NetworkMixture:
        """Return the same mixture, from which no gradient reaches logits or constants."""
        return NetworkMixture(
            edges=tuple(probabilities.detach() for probabilities in self.edges),
            moves=tuple(probabilities.detach() for probabilities in self.moves),
            kinds=self.kinds.detach(),
            resets=self.resets.detach(),
            time_steps=self.time_steps.detach(),
            scopes=self.scopes.detach(),
            constants=self.constants.detach(),
            readout_tau_mem_ms=self.readout_tau_mem_ms.detach(),
        )
