"""Model-agnostic meta-learning (Finn, Abbeel & Levine 2017), in PyTorch."""

from refimpl.maml.check_model import check_model
from refimpl.maml.checkpoint import load_tensors, load_trained, save_tensors
from refimpl.maml.evaluation import evaluate, predict
from refimpl.maml.exact import exact
from refimpl.maml.history import History, KeepBest
from refimpl.maml.inner import adapt, inner_loop, sgd
from refimpl.maml.losses import accuracy, binary_cross_entropy, cross_entropy, mse
from refimpl.maml.models import mlp, sinusoid_network
from refimpl.maml.outer import meta_loss, task_losses
from refimpl.maml.over_tasks import over_tasks
from refimpl.maml.rates import EachStep, LearnedRates, MetaSGD, only
from refimpl.maml.rules import clipped, momentum
from refimpl.maml.training import meta_train
from refimpl.maml.variants import WithContext, multi_step_losses, reptile_losses

__all__ = [
    "EachStep", "History", "KeepBest", "LearnedRates", "MetaSGD", "WithContext",
    "accuracy", "adapt", "binary_cross_entropy", "check_model", "clipped",
    "cross_entropy", "evaluate", "exact", "inner_loop", "load_tensors",
    "load_trained", "meta_loss", "meta_train", "mlp", "momentum", "mse",
    "multi_step_losses", "only", "over_tasks", "predict", "reptile_losses",
    "save_tensors", "sgd", "sinusoid_network", "task_losses",
]  # fmt: skip
