"""Weights and probabilities of a relaxed network: products of named factors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Factors = tuple[str, ...]
"""Names of factors of a product; the empty product is 1."""


@dataclass(frozen=True)
class Values:
    """Products by name.

    Attributes:
        values: As tensors on the device.
        numbers: As plain numbers.
        trained: Whether gradients flow to them.
    """

    values: dict[str, Tensor]
    numbers: dict[str, float]
    trained: bool


class Products:
    """Computes products of named factors, all in one go.

    Args:
        products: Name of each product to the names of its factors.
    """

    def __init__(self, products: Mapping[str, Factors]) -> None:
        self._names = list(products)
        self._factors = sorted({factor for product in products.values() for factor in product})
        one = len(self._factors)  # index of the constant 1, which fills short products up
        position = {name: index for index, name in enumerate(self._factors)}
        length = max(len(product) for product in products.values())
        self._index = torch.tensor(
            [
                [*(position[factor] for factor in product), *[one] * (length - len(product))]
                for product in products.values()
            ]
        )

    def of(self, factors: Mapping[str, Tensor], device: torch.device) -> Values:
        """Return the products of these values, in float32."""
        vector = torch.stack([factors[name] for name in self._factors])  # (factors,)
        columns = torch.cat([vector, vector.new_ones(1)])[self._index].unbind(1)  # each (products,)
        product = columns[0]
        for column in columns[1:]:
            product = product * column
        product = product.to(torch.float32)
        numbers = dict(zip(self._names, product.tolist(), strict=True))
        values = dict(zip(self._names, product.to(device).unbind(), strict=True))
        return Values(values, numbers, product.requires_grad)
