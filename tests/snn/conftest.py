"""One thread: the networks here are tiny, and more threads only wait for one another."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
