"""Handwritten digits that ship with scikit-learn: 1,797 grey images of 8 x 8 pixels in 10 classes."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from evonas.data.dataset import DataSet, Samples
from evonas.data.image_options import ImageOptions, ImageSettings


def read(**options: Unpack[ImageOptions]) -> DataSet:
    """Return the digits with values in [0, 1], split 60 / 20 / 20.

    Source: E. Alpaydin and C. Kaynak, Optical recognition of handwritten digits, UCI, 1998 (its test part).
    """
    given = ImageSettings(**options)
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32)[:, None, None]
    return given.applied(DataSet(Samples(images, digits.target.astype(np.int64)), classes=10))
