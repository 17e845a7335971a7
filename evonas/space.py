"""What may vary: variables, the genotypes made of their values, and the space of all genotypes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from evonas.errors import SpaceError

Scalar = bool | int | float | str


class Variable(Protocol):
    """One thing that may vary."""

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a random value."""

    def canonical(self, value: Any) -> Scalar:
        """Return `value` as a plain scalar, rounded to the variable's resolution.

        Raises:
            SpaceError: If the variable cannot take `value`.
        """

    @property
    def size(self) -> float:
        """Number of different values, `inf` where it is not known to be finite."""


@dataclass(frozen=True)
class Choice:
    """A categorical variable: one of `values`, which have no order."""

    values: tuple[Scalar, ...]

    def __init__(self, values: Sequence[Scalar]) -> None:
        object.__setattr__(self, "values", tuple(values))
        if not self.values or len(set(self.values)) < len(self.values):
            raise SpaceError(f"Choice needs one or more different values, got {list(self.values)}.")

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return one of the values, each with the same probability."""
        return self.values[int(rng.integers(len(self.values)))]

    def canonical(self, value: Any) -> Scalar:
        """Return the member of `values` that equals `value`."""
        for known in self.values:
            if known == value and isinstance(known, bool) == isinstance(value, bool | np.bool_):
                return known
        raise SpaceError(f"expected one of {list(self.values)}, got {value!r}")

    @property
    def size(self) -> float:
        """Number of values."""
        return len(self.values)


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise SpaceError(f"Integer needs low <= high, got {self.low} > {self.high}.")

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return one of the numbers, each with the same probability."""
        return int(rng.integers(self.low, self.high + 1))

    def canonical(self, value: Any) -> Scalar:
        """Return `value` as an int."""
        if isinstance(value, bool | str) or int(value) != value or not self.low <= value <= self.high:
            raise SpaceError(f"expected a whole number from {self.low} to {self.high}, got {value!r}")
        return int(value)

    @property
    def size(self) -> float:
        """Number of values."""
        return self.high - self.low + 1


@dataclass(frozen=True)
class Real:
    """A number from `low` to `high` in steps of `step`: what lies nearer together is the same value."""

    low: float
    high: float
    step: float

    def __post_init__(self) -> None:
        if not (0 < self.step <= self.high - self.low and math.isfinite(self.high - self.low)):
            raise SpaceError(
                f"Real needs low < high and 0 < step <= high - low, got {self.low}, {self.high}, step {self.step}."
            )

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a value, uniform between `low` and `high`."""
        return self.canonical(rng.uniform(self.low, self.high))

    def canonical(self, value: Any) -> Scalar:
        """Return `value` rounded to the nearest step."""
        _check_between(value, self.low, self.high)
        steps = round((float(value) - self.low) / self.step)
        return float(f"{min(self.low + steps * self.step, self.high):.12g}")

    @property
    def size(self) -> float:
        """Number of steps."""
        return math.floor((self.high - self.low) / self.step + 1e-9) + 1


@dataclass(frozen=True)
class LogReal:
    """A positive number from `low` to `high` on a logarithmic axis, kept to `digits` significant digits."""

    low: float
    high: float
    digits: int = 2

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high < math.inf and self.digits >= 1):
            raise SpaceError(
                f"LogReal needs 0 < low < high and digits >= 1, got {self.low}, {self.high}, {self.digits}."
            )

    def sample(self, rng: np.random.Generator) -> Scalar:
        """Return a value, uniform in its logarithm."""
        return self.canonical(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def canonical(self, value: Any) -> Scalar:
        """Return `value` rounded to `digits` significant digits."""
        _check_between(value, self.low, self.high)
        rounded = float(f"{float(value):.{self.digits}g}")
        return min(max(rounded, float(self.low)), float(self.high))

    @property
    def size(self) -> float:
        """An upper bound: a decade holds `9 * 10 ** (digits - 1)` values."""
        decades = math.floor(math.log10(self.high)) - math.floor(math.log10(self.low)) + 1
        return float(decades * 9 * 10 ** (self.digits - 1))


def _check_between(value: Any, low: float, high: float) -> None:
    slack = 1e-9 * max(abs(low), abs(high))  # arithmetic on logarithms may leave the interval by a rounding error
    if isinstance(value, bool | str) or not low - slack <= float(value) <= high + slack:
        raise SpaceError(f"expected a number from {low} to {high}, got {value!r}")


class Genotype(Mapping[str, Scalar]):
    """A canonical choice: a flat, immutable mapping from the names of the active variables to plain scalars.

    Two genotypes are equal, and have the same `key`, if and only if their contents are. Made by `Space`.
    """

    def __init__(self, values: Mapping[str, Scalar]) -> None:
        self._values = {name: values[name] for name in sorted(values)}

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: the hash of the content, the same on every machine and in every process."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """Return the content as JSON, names sorted; `Space.from_json` reads it back without loss."""
        return json.dumps(self._values, separators=(",", ":"))

    def __getitem__(self, name: str) -> Scalar:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Genotype):
            return self.key == other.key
        return self._values == other

    def __repr__(self) -> str:
        return f"Genotype({self._values})"


Assignment = dict[str, Scalar]


@dataclass(frozen=True)
class Rule:
    """The variables `names` matter only when `when(assignment)` holds; otherwise no genotype contains them.

    Rules apply in order, and `when` may read every variable that no earlier rule has removed (`get` the others).
    """

    names: tuple[str, ...]
    when: Callable[[Mapping[str, Scalar]], bool]


class Space:
    """All genotypes: variables, the rules on them, and how a genotype becomes a network.

    Args:
        variables: Name to variable.
        rules: Which variables matter when.
        arrange: Brings an assignment of every variable into the one form that all assignments with the same
            meaning share, before the rules apply. It must accept every assignment.
        build: `build(genotype, input_shape, classes)` returns the network. Not needed where the user's own
            `evaluate` reads the genotype.
        relax: `relax(context, input_shape, classes)` returns all networks of some sizes as one, a
            `evonas.snn.relaxed.space.RelaxedSpace`. Needed for the differentiable search only.
        sizes: Variables that `relax` has to be given, for they are the same in all networks of one search.
        operations: `operations(genotype, input_shape, classes)` returns the dense multiply-accumulates of one
            sample over all time steps, from the genotype alone: the unit of predicted cost.
        plan: `plan(genotype, input_shape, classes)` returns what the network consists of, without building it: what
            a chip is asked whether it can hold it.
        surrogate_width: The `Real` or `LogReal` variable that is the width of surrogate gradients. Needed where
            training searches widths: they keep to its range.
    """

    def __init__(
        self,
        variables: Mapping[str, Variable],
        *,
        rules: Sequence[Rule] = (),
        arrange: Callable[[Assignment], Assignment] | None = None,
        build: Callable[..., Any] | None = None,
        relax: Callable[..., Any] | None = None,
        sizes: Sequence[str] = (),
        operations: Callable[..., float] | None = None,
        plan: Callable[..., Any] | None = None,
        surrogate_width: str | None = None,
    ) -> None:
        self.variables = dict(variables)
        self.rules = tuple(rules)
        self.build = build
        self.relax = relax
        self.sizes = tuple(sizes)
        self.operations = operations
        self.plan = plan
        self._arrange = arrange
        self.surrogate_widths = None if surrogate_width is None else self._range(surrogate_width)
        """Lowest and highest width of surrogate gradients; None where the space does not say."""
        unknown = sorted({name for rule in self.rules for name in rule.names} - set(self.variables))
        if unknown:
            raise SpaceError(f"Rules name variables that the space does not have: {', '.join(unknown)}.")

    @property
    def size(self) -> float:
        """Number of assignments, an upper bound of the number of genotypes; `inf` where it is not known."""
        return math.prod(variable.size for variable in self.variables.values())

    def sample(self, rng: np.random.Generator) -> Genotype:
        """Return the genotype of a random assignment."""
        return self.canonical({name: variable.sample(rng) for name, variable in self.variables.items()})

    def canonical(self, assignment: Mapping[str, Any]) -> Genotype:
        """Return the genotype of an assignment of **every** variable.

        Raises:
            SpaceError: If a variable is missing or unknown, or a value is not one of its variable's.
        """
        faults = [f"{name}: the space has no such variable" for name in assignment if name not in self.variables]
        values: Assignment = {}
        for name, variable in self.variables.items():
            if name not in assignment:
                faults.append(f"{name}: missing")
                continue
            try:
                values[name] = variable.canonical(assignment[name])
            except (SpaceError, TypeError, ValueError) as error:
                faults.append(f"{name}: {error}")
        if faults:
            raise SpaceError("This is no assignment of the space: " + "; ".join(faults) + ".")
        if self._arrange is not None:
            values = self._arrange(values)
        for rule in self.rules:
            if not rule.when(values):
                values = {name: value for name, value in values.items() if name not in rule.names}
        return Genotype(values)

    def genotype(self, values: Mapping[str, Any]) -> Genotype:
        """Return the genotype that holds exactly `values`, the active variables (for instance read from a file).

        Raises:
            SpaceError: If `values` is not a canonical genotype of this space.
        """
        genotype = self.canonical({**self.fill({}, np.random.default_rng(0)), **values})
        if dict(genotype) != dict(values):
            differing = sorted(name for name in {*genotype, *values} if genotype.get(name) != values.get(name))
            raise SpaceError(
                f"This is no canonical genotype of the space: it differs in {', '.join(differing)}. "
                "Give every active variable and no other, or use Space.canonical on a full assignment."
            )
        return genotype

    def from_json(self, text: str) -> Genotype:
        """Return the genotype that `Genotype.to_json` wrote."""
        return self.genotype(json.loads(text))

    def _range(self, name: str) -> tuple[float, float]:
        variable = self.variables.get(name)
        if not isinstance(variable, Real | LogReal):
            raise SpaceError(
                f"surrogate_width must name a Real or LogReal variable, got {name!r}, which is {variable}."
            )
        return variable.low, variable.high

    def fill(self, genotype: Mapping[str, Scalar], rng: np.random.Generator) -> Assignment:
        """Return an assignment of every variable: the genotype's values, random ones for the inactive variables."""
        return {
            name: genotype[name] if name in genotype else variable.sample(rng)
            for name, variable in self.variables.items()
        }
