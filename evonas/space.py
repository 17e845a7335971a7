"""Spaces: the genotypes that variables and rules allow, and how a genotype becomes a network."""

from __future__ import annotations

import copy
import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from evonas.errors import OptionError, OutsideError, SpaceError
from evonas.genotype import Genotype
from evonas.narrowing import Optional, matching, narrowed, without
from evonas.options import shown
from evonas.real_variables import LogReal, Real
from evonas.rule import Rule
from evonas.variables import Scalar, Variable

MOST_KNOWN = 16_384
"""Values that a space keeps at most of those that were canonical when they came, so that they are not checked again."""

TRIES = 10_000
"""Assignments that are drawn at most until one lies within a narrowed space."""

Assignment = dict[str, Scalar]


class Space:
    """All genotypes: variables, the rules on them, and how a genotype becomes a network.

    Args:
        variables: Name to variable.
        rules: Which variables matter when.
        arrange: Brings an assignment of every variable into its canonical form, which all assignments with the same
            meaning share, before the rules apply. It must accept every assignment.
        alike: `alike(assignment, input_shape)` returns the one of all assignments that are the same network on data
            of this shape, where there are several; see `on`.
        build: `build(genotype, input_shape, classes)` returns the network. Not needed where the user's own
            `evaluate` reads the genotype. Here and below, `input_shape` is `(channels, height, width)` of static images
            or `(time, channels, height, width)` of event frames.
        relax: `relax(context, input_shape, classes)` returns all networks with the sizes in `context` as one relaxed
            network, an `evonas.snn.relaxed.space.RelaxedSpace`. Needed for the differentiable search only. If it has a
            parameter `within`, it is given the narrowed space, so that it can leave out what that has not.
        sizes: Variables whose values `relax` is given, because they are fixed within one differentiable search; a
            `Choice` among them lists first what makes the smallest networks.
        operations: `operations(genotype, input_shape, classes)` returns the dense multiply-accumulates of one
            sample over all time steps, from the genotype alone: the unit of predicted cost.
        plan: `plan(genotype, input_shape, classes)` returns what the network consists of, without building it: enough
            to check whether it fits on a chip.
        optional: Names of what the space can do without, each with the variables, or patterns, that go with it, and
            for each None, or the values that go. What the genotype then does not say is left out of the network.
        share: `share(genotype, name)` returns under which name the weights of a connection or population are shared by
            networks, as in `evonas.weight_sharing`. Needed for one-shot searches only.
        constants: Names, or patterns, of variables on which no size and no number of anything in the network depends,
            such as time constants: what a plan tells before training is the same for networks that differ in these
            alone, which are planned once.
        surrogate_width: Name of the `Real` or `LogReal` variable that is the width of surrogate gradients. Needed where
            training searches widths: they stay within its range.

    Example:
        >>> import numpy as np
        >>> from evonas import Choice, Integer, Space
        >>> space = Space({"kind": Choice(["lif", "analog"]), "layers": Integer(1, 6)})
        >>> space.size
        12
        >>> space.sample(np.random.default_rng(0))
        Genotype({'kind': 'analog', 'layers': 4})
    """

    def __init__(
        self,
        variables: Mapping[str, Variable],
        *,
        rules: Sequence[Rule] | Rule = (),
        arrange: Callable[[Assignment], Assignment] | None = None,
        alike: Callable[[Assignment, Sequence[int]], Assignment] | None = None,
        build: Callable[..., Any] | None = None,
        relax: Callable[..., Any] | None = None,
        sizes: Sequence[str] = (),
        operations: Callable[..., float] | None = None,
        plan: Callable[..., Any] | None = None,
        optional: Optional | None = None,
        share: Callable[[Mapping[str, Scalar], str], str] | None = None,
        constants: Sequence[str] = (),
        surrogate_width: str | None = None,
    ) -> None:
        self.variables = dict(variables)
        strange = [name for name, one in self.variables.items() if not isinstance(name, str) or not _varies(one)]
        if strange:
            name = strange[0]
            raise SpaceError(
                f"A Space needs variables such as Choice or Integer by name, got {shown(self.variables[name])} for "
                f"{shown(name)}."
            )
        self.rules = tuple(rules) if isinstance(rules, list | tuple) else (rules,)
        other = [rule for rule in self.rules if not isinstance(rule, Rule)]
        if other:
            raise SpaceError(f'A Space needs rules such as Rule(("tau",), when), got {shown(other[0])}.')
        self.build = build
        self.relax = relax
        self.sizes = tuple(sizes)
        self.constants = frozenset(name for one in constants for name in matching(self.variables, one))
        """Names of variables on which no size and no number of anything in the network depends."""
        self.operations = operations
        self.plan = plan
        self.share = share
        self.arrange = arrange
        self.alike = alike
        self.optional = dict(optional or {})
        self._input_shape: tuple[int, ...] | None = None
        self._narrowed: frozenset[str] = frozenset()
        self._known: dict[tuple[str, type, Any], Scalar] = {}
        self._surrogate_width = surrogate_width
        self.surrogate_widths = None if surrogate_width is None else self._range(surrogate_width)
        """Lowest and highest width of surrogate gradients; None where the space does not say."""
        unknown = sorted({name for rule in self.rules for name in rule.names} - set(self.variables))
        if unknown:
            raise SpaceError(f"Rules name variables that the space does not have: {', '.join(unknown)}.")
        unknown = [one for one in constants if not matching(self.variables, one)]
        if unknown:
            raise SpaceError(f"Constants name variables that the space does not have: {', '.join(map(str, unknown))}.")
        unknown = [name for name in self.sizes if name not in self.variables]
        if unknown:
            raise SpaceError(f"Sizes name variables that the space does not have: {', '.join(map(str, unknown))}.")

    @property
    def size(self) -> float:
        """Number of assignments, an upper bound of the number of genotypes; `inf` where it is not known."""
        return math.prod(variable.size for variable in self.variables.values())

    def sample(self, rng: np.random.Generator, *, given: Mapping[str, Scalar] | None = None) -> Genotype:
        """Return the genotype of a random assignment.

        Args:
            rng: Source of all chance.
            given: Values of variables that are not left to chance.

        Raises:
            SpaceError: If a value is not one of its variable's, or no genotype with these values was found in a
                narrowed space.
        """
        outside: OutsideError | None = None
        for _ in range(TRIES):
            drawn: Assignment = {name: variable.sample(rng) for name, variable in self.variables.items()}
            try:
                return self.canonical({**drawn, **given} if given else drawn)
            except OutsideError as error:
                outside = error
        raise SpaceError(f"Of {TRIES:,} networks drawn none lies within what is allowed. {outside}")

    def canonical(self, assignment: Mapping[str, Any]) -> Genotype:
        """Return the genotype of an assignment of **every** variable.

        Raises:
            SpaceError: If a variable is missing or unknown, or a value is not one of its variable's.
            OutsideError: If the canonical form of the assignment lies outside this narrowed space.
        """
        values = self._values(assignment)
        if self.arrange is not None:
            values = self.arrange(values)
        if self.alike is not None and self._input_shape is not None:
            one = self.alike(values, self._input_shape)
            values = values if self._outside(one) else one
        values = dict(values)
        for rule in self.rules:
            if not rule.when(values):
                for name in rule.names:
                    values.pop(name, None)
        if outside := self._outside(values):
            raise OutsideError(f"In canonical form the network has {outside} = {values[outside]!r}, which is left out.")
        return Genotype(values)

    def _values(self, assignment: Mapping[str, Any]) -> Assignment:
        """Return the value of every variable that an assignment means; raise a `SpaceError` with all its faults."""
        faults: list[str] = []
        values: Assignment = {}
        for name, variable in self.variables.items():
            try:
                value = assignment[name]
            except KeyError:
                faults.append(f"{name}: missing")
                continue
            try:
                canonical = self._known.get((name, type(value), value))
            except TypeError:  # it has no hash
                canonical = None
            if canonical is None:  # it never came before
                try:
                    canonical = self._keep(name, value, variable.canonical(value))
                except (SpaceError, TypeError, ValueError) as error:
                    faults.append(f"{name}: {error}")
                    continue
            values[name] = canonical
        if faults or len(assignment) > len(values):
            unknown = [f"{name}: the space has no such variable" for name in assignment if name not in self.variables]
            raise SpaceError("This is no assignment of the space: " + "; ".join([*unknown, *faults]) + ".")
        return values

    def _keep(self, name: str, value: Any, canonical: Scalar) -> Scalar:
        """Return the canonical form of a value, and remember it where the value has it already."""
        if type(value) is type(canonical) and value == canonical:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name, type(value), value] = canonical
        return canonical

    def on(self, input_shape: Sequence[int]) -> Space:
        """Return the space on data of this shape, where assignments that are one network there are one genotype."""
        space = copy.copy(self)
        space._input_shape = tuple(input_shape)
        return space._relaxing_itself()

    @property
    def is_narrowed(self) -> bool:
        """Whether the space was narrowed: some genotypes of a wider one are left out."""
        return bool(self._narrowed)

    def _outside(self, values: Assignment) -> str | None:
        """Return a variable of an arranged assignment whose value this narrowed space leaves out, if there is one."""
        for name in self._narrowed & values.keys() if self._narrowed else ():
            try:
                is_within = self.variables[name].canonical(values[name]) == values[name]
            except SpaceError:
                is_within = False
            if not is_within:
                return name
        return None

    def _relaxing_itself(self) -> Space:
        """Return this space, whose `relax` is told of it where it takes a space."""
        if self.relax is not None and "within" in inspect.signature(self.relax).parameters:
            self.relax = partial(self.relax, within=self)
        return self

    def narrowed(self, only: Mapping[str, Any]) -> Space:
        """Return the space of only those genotypes whose active variables have values in `only`.

        Args:
            only: Name of a variable, or a pattern with `*`, `?` and `[…]`, to a list of values of a `Choice`, or to the
                lowest and the highest value of an `Integer`, a `Real` or a `LogReal`. All that match a name apply.

        Raises:
            OptionError: If the space has no such name or value, or no genotype is left; a sentence for each fault.
        """
        return self._with(narrowed(self.variables, only))

    def without(self, names: Iterable[str]) -> Space:
        """Return the space without some of what is `optional` in it: as if it had never had that.

        Raises:
            OptionError: If it cannot do without one of them; a sentence for each fault.
        """
        names = tuple(names)
        left = without(self.variables, names, optional=self.optional)
        space = self._with(left)
        space._narrowed = self._narrowed
        space.optional = {name: goes for name, goes in self.optional.items() if name not in names}
        rules = [(tuple(name for name in rule.names if name in left), rule.when) for rule in self.rules]
        space.rules = tuple(Rule(remaining, when) for remaining, when in rules if remaining)
        return space

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which gets to know canonical values anew."""
        return {**vars(self), "_known": {}}

    def _with(self, variables: Mapping[str, Variable]) -> Space:
        space = copy.copy(self)
        space.variables = dict(variables)
        space._known = {}
        space._narrowed = self._narrowed | {name for name in variables if variables[name] != self.variables[name]}
        space.surrogate_widths = None if self._surrogate_width is None else space._range(self._surrogate_width)
        space._relaxing_itself()
        try:
            space.sample(np.random.default_rng(0))
        except SpaceError as error:
            raise OptionError([f": {error}"]) from None
        return space

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
        given = genotype.as_dict() if isinstance(genotype, Genotype) else dict(genotype)
        return {
            name: given[name] if name in given else variable.sample(rng) for name, variable in self.variables.items()
        }


def _varies(variable: Any) -> bool:
    return not isinstance(variable, type) and all(hasattr(variable, name) for name in ("sample", "canonical", "size"))
