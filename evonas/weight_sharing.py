"""Weight sharing: which weights of different networks are the same ones in a supernet that holds all of them.

`Space(…, share=…)` says it. `share(genotype, name)` returns under which name the weights of the connection or
population `name` of a network are kept. Weights of one such name, one shape and one kind of layer are shared, with the
statistics of their norms; others of the same name stand beside them. Constants of neurons are shared where they are
trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from evonas.variables import Scalar

Share = Callable[[Mapping[str, Scalar], str], str]


def by_name(genotype: Mapping[str, Scalar], name: str) -> str:
    """Return the name as it is: for spaces whose names say what something is and where, whatever the network.

    Example:
        >>> by_name({"block1": "SCB_k3"}, "block1/SCB_k3/first/conv3")
        'block1/SCB_k3/first/conv3'
    """
    return name
