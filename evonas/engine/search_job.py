"""What a differentiable search is told, and how it stands in the settings of its job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.variables import Scalar

_CONTEXT = "context."


@dataclass(frozen=True)
class SearchSettings:
    """What a differentiable search is told.

    Attributes:
        price: Weight of the priced objective in its loss.
        context: Sizes that it keeps fixed, by name of the variable.
        warm_up: Epochs in which weights alone are trained.
        epochs: Epochs after these, in which weights and choices are trained in turns.
        proposals: Networks that it proposes.
        seed: Tells searches with equal settings apart.
        target: Cost under the priced objective at which it aims, None where it aims at no gap.
    """

    price: float
    context: Mapping[str, Scalar]
    warm_up: int
    epochs: int
    proposals: int
    seed: int = 0
    target: float | None = None

    def to_job(self) -> dict[str, Scalar]:
        """Return the settings of the job."""
        told = {name: value for name, value in vars(self).items() if name != "context" and value is not None}
        return {**told, **{_CONTEXT + name: size for name, size in self.context.items()}}

    @classmethod
    def of(cls, settings: Mapping[str, Scalar]) -> SearchSettings:
        """Return what a search job with these settings is told."""
        target = settings.get("target")
        return cls(
            price=float(settings["price"]),
            context={name.removeprefix(_CONTEXT): size for name, size in settings.items() if name.startswith(_CONTEXT)},
            warm_up=int(settings["warm_up"]),
            epochs=int(settings["epochs"]),
            proposals=int(settings["proposals"]),
            seed=int(settings.get("seed", 0)),
            target=None if target is None else float(target),
        )
