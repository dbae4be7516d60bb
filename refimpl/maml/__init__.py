"""Model-agnostic meta-learning (Finn, Abbeel & Levine 2017), in PyTorch."""

from refimpl.maml.checkpoint import load_tensors, save_tensors
from refimpl.maml.inner import adapt
from refimpl.maml.losses import binary_cross_entropy, mse
from refimpl.maml.models import mlp, sinusoid_network
from refimpl.maml.outer import evaluate, meta_loss, over_tasks, predict, task_losses
from refimpl.maml.training import History, meta_train
from refimpl.maml.variants import (
    LearnedRates,
    MetaSGD,
    WithContext,
    multi_step_losses,
    only,
    reptile_losses,
)

__all__ = [
    "History", "LearnedRates", "MetaSGD", "WithContext", "adapt",
    "binary_cross_entropy", "evaluate", "load_tensors", "meta_loss", "meta_train",
    "mlp", "mse", "multi_step_losses", "only", "over_tasks", "predict",
    "reptile_losses", "save_tensors", "sinusoid_network", "task_losses",
]  # fmt: skip
