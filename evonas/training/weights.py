"""Weights of a network as the bytes of a safetensors file: numbers and texts, nothing that could be executed."""

from __future__ import annotations

import json
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from evonas.errors import EvonasError


def packed(network: nn.Module, *, about: Mapping[str, str]) -> bytes:
    """Return the parameters and buffers of a network as the content of a file.

    Args:
        network: The network.
        about: What is said about them, kept in the header of the file.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    return save(state, metadata=dict(about))


def about_weights(content: bytes) -> dict[str, str]:
    """Return what the content of a file says about its weights.

    Raises:
        EvonasError: If it is no safetensors file.
    """
    try:
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        about = header.get("__metadata__", {})
    except (ValueError, AttributeError) as error:
        raise EvonasError(f"it is no safetensors file ({error})") from error
    return {str(name): str(text) for name, text in about.items()} if isinstance(about, dict) else {}


def unpack(content: bytes, network: nn.Module) -> None:
    """Give a network the weights that the content of a file holds; its modes and memory formats stay what they are.

    Raises:
        EvonasError: If it is no safetensors file, or the weights are those of another network.
    """
    try:
        state = load(content)
    except (SafetensorError, ValueError) as error:
        raise EvonasError(f"it is no safetensors file ({error})") from error
    own = network.state_dict()
    other = sorted(own.keys() ^ state.keys())
    other += [name for name in own.keys() & state.keys() if own[name].shape != state[name].shape]
    if other:
        raise EvonasError(f"it holds the weights of another network: {len(other)} tensors differ, such as {other[0]}")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(state[name])
