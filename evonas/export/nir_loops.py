"""Loops as tools read them in a file of NIR, which does not say which edge of a loop takes a step."""

from __future__ import annotations

from collections.abc import Collection

from evonas.architecture.loops import strongly_connected
from evonas.architecture.plan import INPUT, Plan


def loop_refusals(plan: Plan) -> list[str]:
    """Return a sentence for each kind of loop of a network that tools would read otherwise."""
    sentences = []
    closing = _closing(plan)
    late = [
        edge.name
        for edge in plan.connections
        if not edge.delay and any((name, edge.target) in closing for name in edge.sources)
    ]
    if late:
        sentences.append(
            f"connections without a delay that close a loop ({', '.join(late)}): tools would read them a step late; "
            "expected loops that the input enters behind their delay, or --to onnx, which takes it"
        )
    loops = _ambiguous(plan, closing)
    if loops:
        sentences.append(
            f"loops with several entries ({', '.join(loops)}): NIR does not say which of their connections is "
            "the late one; expected feedback within cells of one node, or --to onnx, which takes it"
        )
    return sentences


def _closing(plan: Plan) -> set[tuple[str, str]]:
    """Return the edges between populations that close a loop for a walk from the input in any order.

    They lead to a population which all ways to their source lead over. Where something loops without them, walks in
    other orders find other edges.

    Source: Hecht and Ullman, Characterizations of reducible flow graphs (JACM 1974).
    """
    reads = {one.name: {name for edge in one.incoming for name in edge.sources} for one in plan.populations}
    looped = {edge.target for edge in plan.connections if edge.name in plan.stepped}
    closing = set()
    for target in looped:
        reached, found = {INPUT}, {INPUT}
        while found:
            found = {name for name, sources in reads.items() if name not in {target, *reached} and sources & reached}
            reached |= found
        closing |= {(source, target) for source in reads[target] - reached}
    return closing


def _ambiguous(plan: Plan, closing: Collection[tuple[str, str]]) -> list[str]:
    """Return the delayed connections of loops that can be entered at several places."""
    others = {
        one.name: [name for edge in one.incoming for name in edge.sources if (name, one.name) not in closing]
        for one in plan.populations
    }
    loops = [set(part) for part in strongly_connected(others) if len(part) > 1]
    return [
        edge.name
        for edge in plan.connections
        if edge.delay and any(edge.target in part and not part.isdisjoint(edge.sources) for part in loops)
    ]
