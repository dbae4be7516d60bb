"""Model-agnostic meta-learning (Finn, Abbeel & Levine 2017), in PyTorch."""

from refimpl.maml.checkpoint import load_tensors, save_tensors
from refimpl.maml.inner import adapt
from refimpl.maml.losses import mse
from refimpl.maml.models import mlp, sinusoid_network
from refimpl.maml.outer import evaluate, meta_loss, predict, task_losses
from refimpl.maml.training import History, meta_train
from refimpl.maml.variants import LearnedRates

__all__ = [
    "History",
    "LearnedRates",
    "adapt",
    "evaluate",
    "load_tensors",
    "meta_loss",
    "meta_train",
    "mlp",
    "mse",
    "predict",
    "save_tensors",
    "sinusoid_network",
    "task_losses",
]
