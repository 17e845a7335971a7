"""Settings of a differentiable search, and their form in the settings of its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from evonas.engine.effort import Effort
from evonas.engine.training_log import TWO_PATHS
from evonas.variables import Scalar

WEIGHTS_PART = 0.5
"""Part of the training samples that goes through one epoch of a search, once for weights and once for choices."""

Paths = Literal["drawn", "all"]
"""What a step of a search sees: networks that are drawn, or all of them at once."""

_DRAWN: Paths = "drawn"

_CONTEXT = "context."


@dataclass(frozen=True)
class GradientSearch:
    """Settings of one differentiable search.

    Attributes:
        price: Weight of the priced objective in its loss.
        context: Sizes that are fixed within it, by name of the variable.
        warm_up: First epochs, in which only weights are trained.
        epochs: Epochs after these, in which weights and choices are trained in turns.
        proposals: Networks that it proposes.
        seed: Tells searches with equal settings apart.
        target: Cost under the priced objective that it aims at, the middle of a gap of the front; None for none.
        paths: What its steps see.
    """

    price: float
    context: Mapping[str, Scalar]
    warm_up: int
    epochs: int
    proposals: int
    seed: int = 0
    target: float | None = None
    paths: Paths = _DRAWN

    def to_job(self) -> dict[str, Scalar]:
        """Return the settings of its job; paths that are drawn, as is usual, are not named."""
        left_out = {"context", "paths"} if self.paths == _DRAWN else {"context"}
        plain = {name: value for name, value in vars(self).items() if name not in left_out and value is not None}
        return {**plain, **{_CONTEXT + name: size for name, size in self.context.items()}}

    def effort(self, samples: int) -> Effort:
        """Return what its job goes through: each step costs what a network does, one for the choices `TWO_PATHS`.

        Searches of surrogate gradients are left out.
        """
        return Effort(samples * WEIGHTS_PART * (self.warm_up + (1 + TWO_PATHS) * self.epochs), self.context)

    @classmethod
    def of(cls, settings: Mapping[str, Scalar]) -> GradientSearch:
        """Return the settings that `to_job` put into those of a job."""
        target = settings.get("target")
        return cls(
            price=float(settings["price"]),
            context={name.removeprefix(_CONTEXT): size for name, size in settings.items() if name.startswith(_CONTEXT)},
            warm_up=int(settings["warm_up"]),
            epochs=int(settings["epochs"]),
            proposals=int(settings["proposals"]),
            seed=int(settings.get("seed", 0)),
            target=None if target is None else float(target),
            paths="all" if settings.get("paths") == "all" else _DRAWN,
        )
