"""Model-agnostic meta-learning (Finn, Abbeel & Levine 2017), in PyTorch."""

from refimpl.maml.checkpoint import load_tensors, save_tensors
from refimpl.maml.exact import exact
from refimpl.maml.inner import adapt
from refimpl.maml.losses import accuracy, binary_cross_entropy, cross_entropy, mse
from refimpl.maml.models import mlp, sinusoid_network
from refimpl.maml.outer import evaluate, meta_loss, predict, task_losses
from refimpl.maml.over_tasks import over_tasks
from refimpl.maml.rates import LearnedRates, MetaSGD, only
from refimpl.maml.training import History, meta_train
from refimpl.maml.variants import WithContext, multi_step_losses, reptile_losses

__all__ = [
    "History", "LearnedRates", "MetaSGD", "WithContext", "accuracy", "adapt",
    "binary_cross_entropy", "cross_entropy", "evaluate", "exact", "load_tensors",
    "meta_loss", "meta_train",
    "mlp", "mse", "multi_step_losses", "only", "over_tasks", "predict",
    "reptile_losses", "save_tensors", "sinusoid_network", "task_losses",
]  # fmt: skip
