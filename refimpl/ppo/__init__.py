"""Proximal policy optimization (Schulman et al. 2017), in TensorFlow and Keras 3."""

import os

if (backend := os.environ.setdefault("KERAS_BACKEND", "tensorflow")) != "tensorflow":
    raise ImportError(f"KERAS_BACKEND: expected tensorflow, got {backend}")

from refimpl.ppo.advantages import compute_advantages
from refimpl.ppo.episodes import MetaPolicy
from refimpl.ppo.history import History
from refimpl.ppo.maml import evaluate_maml_ppo, train_maml_ppo
from refimpl.ppo.meta import evaluate_rl2, train_rl2
from refimpl.ppo.objectives import (
    adapt_beta,
    approximate_kl,
    clipped_surrogate,
    penalized_surrogate,
)
from refimpl.ppo.policies import ActorCritic
from refimpl.ppo.policy import Policy
from refimpl.ppo.recurrent import RecurrentActorCritic
from refimpl.ppo.saving import KeepBest, load_policy, save_policy
from refimpl.ppo.training import evaluate, train

__all__ = [
    "ActorCritic",
    "History",
    "KeepBest",
    "MetaPolicy",
    "Policy",
    "RecurrentActorCritic",
    "adapt_beta",
    "approximate_kl",
    "clipped_surrogate",
    "compute_advantages",
    "evaluate",
    "evaluate_maml_ppo",
    "evaluate_rl2",
    "load_policy",
    "penalized_surrogate",
    "save_policy",
    "train",
    "train_maml_ppo",
    "train_rl2",
]
