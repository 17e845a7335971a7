"""Rules: which variables of a space matter when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from evonas.errors import SpaceError
from evonas.options import shown
from evonas.variables import Scalar


@dataclass(frozen=True)
class Rule:
    """The variables `names` matter only when `when(assignment)` holds; otherwise no genotype contains them.

    Rules apply in order, and `when` may read every variable that no earlier rule has removed (`get` the others).
    A bare string is one name.

    Raises:
        SpaceError: If `names` are not names, or `when` cannot be called.

    Example:
        >>> from evonas import Choice, LogReal, Rule, Space
        >>> is_leaky = Rule(("tau",), lambda values: values["kind"] == "leaky")
        >>> space = Space({"kind": Choice(["leaky", "integrate"]), "tau": LogReal(1.0, 100.0)}, rules=[is_leaky])
        >>> space.canonical({"kind": "integrate", "tau": 5.0})
        Genotype({'kind': 'integrate'})
    """

    names: Sequence[str]
    when: Callable[[Mapping[str, Scalar]], bool]

    def __post_init__(self) -> None:
        names = (self.names,) if isinstance(self.names, str) else self.names
        if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
            raise SpaceError(f'A Rule needs names of variables, such as ("kernel",), got {shown(self.names)}.')
        if not callable(self.when):
            raise SpaceError(f"A Rule needs a function of an assignment that says when, got {shown(self.when)}.")
        object.__setattr__(self, "names", tuple(names))
