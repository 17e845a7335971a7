"""Loops of a graph of populations: which of them must be computed together, one time step after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evonas.errors import SpaceError


def strongly_connected(sources: Mapping[str, Sequence[str]]) -> list[tuple[str, ...]]:
    """Return the strongly connected parts of a graph, each after all that it reads.

    Args:
        sources: Node to the nodes that it reads; names that are no nodes are ignored. Parts and their nodes come in the
            order of nodes as far as the edges allow it.

    Source: Tarjan, Depth-first search and linear graph algorithms (SIAM J. Comput. 1972).

    Example:
        >>> strongly_connected({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"]})
        [('a', 'b', 'c'), ('d',)]
    """
    parts: list[tuple[str, ...]] = []
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_nodes: list[str] = []
    place = {node: index for index, node in enumerate(sources)}

    def visit(node: str) -> None:
        number[node] = lowest[node] = len(number)
        open_nodes.append(node)
        for source in sources[node]:
            if source not in place:
                continue
            if source not in number:
                visit(source)
                lowest[node] = min(lowest[node], lowest[source])
            elif source in open_nodes:
                lowest[node] = min(lowest[node], number[source])
        if lowest[node] == number[node]:
            begin = open_nodes.index(node)
            parts.append(tuple(sorted(open_nodes[begin:], key=place.__getitem__)))
            del open_nodes[begin:]

    for node in sources:
        if node not in number:
            visit(node)
    return parts


def order_of_computation(now: Mapping[str, Sequence[str]], later: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the nodes so that each comes after what it reads within a time step, and loops side by side.

    Args:
        now: Node to the nodes that it reads at the same time step.
        later: Node to those that it reads some time steps ago.

    Raises:
        SpaceError: If nodes read one another in a loop within one time step.
    """
    within_step = strongly_connected(now)
    for part in within_step:
        if len(part) > 1 or part[0] in now[part[0]]:
            raise SpaceError(
                f"{' -> '.join((*part, part[0]))} is a loop within one time step. One of its connections needs a delay "
                "of at least 1."
            )
    order = [node for (node,) in within_step]
    return [node for part in strongly_connected({n: (*now[n], *later[n]) for n in order}) for node in part]
