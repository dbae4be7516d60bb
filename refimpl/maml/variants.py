"""Variants of MAML, each as the few lines in which it differs."""

from __future__ import annotations

import math

import torch
from torch import nn

from refimpl.maml.inner import Params


class LearnedRates(nn.Module):
    """One learned inner rate for each parameter tensor of a model.

    Meta-SGD (Li, Zhou, Chen & Li 2017) learns a rate for every single
    parameter, of either sign; a rate per tensor, near the one per layer and
    step of Antoniou, Edwards & Storkey (2019), is economical. Rates are kept
    as logarithms, so that they stay positive. ``adapt`` and all that stands on
    it take the module as their ``fast_lr``.

    Parameters
    ----------
    model : nn.Module
        Whose parameters are to have rates.
    initial : float
        The rate that each starts from, greater than 0.
    """

    def __init__(self, model: nn.Module, initial: float) -> None:
        super().__init__()
        if not initial > 0:
            raise ValueError(f"initial: expected a rate greater than 0, got {initial}")
        self.names = [name for name, _ in model.named_parameters()]
        self.log_rates = nn.Parameter(torch.full((len(self.names),), math.log(initial)))

    def forward(self) -> Params:
        """The rates, a dict of scalar tensors named like the model's parameters."""
        return dict(zip(self.names, self.log_rates.exp(), strict=True))
