"""Robustness: a metric of disturbed networks, which workers measure where an objective asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from evonas.options import BITS, NAME, Number, OneOf, OptionRule, Whole, settle

Against = Literal["weight_noise", "bits", "dead_neurons", "lost_input"]

AMOUNTS: dict[str, OptionRule] = {
    "weight_noise": Number(0, 10, is_open=True),
    "bits": BITS,
    "dead_neurons": Number(0, 1, is_open=True),
    "lost_input": Number(0, 1, is_open=True),
}
"""What networks are put through, and how much of it there may be."""

DRAWS = Whole(1, 1000)

_NAMES: dict[Against, str] = {
    "weight_noise": "weight noise {}%",
    "bits": "int{} weights",
    "dead_neurons": "dead neurons {}%",
    "lost_input": "lost input {}%",
}


def disturbance_name(against: Against, amount: float) -> str:
    """Return a disturbance in words.

    Example:
        >>> disturbance_name("weight_noise", 0.05), disturbance_name("bits", 4)
        ('weight noise 5%', 'int4 weights')
    """
    return _NAMES[against].format(int(amount) if against == "bits" else f"{100 * amount:g}")


@dataclass(frozen=True)
class Robustness:
    """The mean of a metric over draws of a disturbance, on the validation samples, without further training.

    Attributes:
        metric: A metric of the task.
        against: What is disturbed, as in `evonas.training.disturbances`.
        amount: Bits of a weight, or a part: the deviation of weights as one of the largest weight of their connection,
            the part of neurons that are dead, the probability that input is lost.
        draws: Of the disturbance; of bits nothing is drawn, and it is 1 whatever is given.

    Raises:
        OptionError: If a value is out of its range.

    Example:
        >>> Robustness("accuracy", "dead_neurons", 0.1).name
        'accuracy under dead neurons 10%, 5 draws'
    """

    metric: str
    against: Against
    amount: float
    draws: int = 5

    def __post_init__(self) -> None:
        if self.against == "bits":
            object.__setattr__(self, "draws", 1)
        amount = AMOUNTS.get(self.against, Number(0, 10))
        settle(self, {"metric": NAME, "against": OneOf(get_args(Against)), "amount": amount, "draws": DRAWS})

    @property
    def name(self) -> str:
        """The name under which a `Measurement` holds it among its metrics."""
        draws = "" if self.against == "bits" else f", {self.draws} draw{'s' * (self.draws != 1)}"
        return f"{self.metric} under {disturbance_name(self.against, self.amount)}{draws}"
