"""Proximal policy optimization (Schulman et al. 2017), in TensorFlow and Keras 3."""

import os

if (backend := os.environ.setdefault("KERAS_BACKEND", "tensorflow")) != "tensorflow":
    raise ImportError(f"KERAS_BACKEND: expected tensorflow, got {backend}")

from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.objectives import (
    adapt_beta,
    approximate_kl,
    clipped_surrogate,
    penalized_surrogate,
)
from refimpl.ppo.policies import ActorCritic
from refimpl.ppo.training import History, evaluate, train

__all__ = [
    "ActorCritic",
    "History",
    "adapt_beta",
    "approximate_kl",
    "clipped_surrogate",
    "compute_advantages",
    "evaluate",
    "penalized_surrogate",
    "train",
]
