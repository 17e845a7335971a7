"""Names of the constants of a stage whose channels have some in groups."""

from __future__ import annotations


def variable_of(constant: str, *, stage: int, group: int) -> str:
    """Return the variable of a constant of a group; those of the first group are named as those of the stage.

    Example:
        >>> variable_of("tau_mem", stage=2, group=0), variable_of("tau_mem", stage=2, group=1)
        ('stage2.tau_mem', 'stage2.group1.tau_mem')
    """
    return f"stage{stage}.group{group}.{constant}" if group else f"stage{stage}.{constant}"
