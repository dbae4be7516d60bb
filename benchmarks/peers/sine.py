"""The network and the tasks of which meta-gradients are asked."""

import torch
from torch import nn


def network(given):
    model = nn.Sequential(
        nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1)
    )
    weights = {n: torch.tensor(given[f"weights.{n}"]) for n in model.state_dict()}
    model.load_state_dict(weights)
    return model


def tasks(given):
    names = "support_x", "support_y", "query_x", "query_y"
    return [*zip(*(torch.tensor(given[n]) for n in names), strict=True)]


def gradients(steps, parameters):
    return {f"{steps}.{name}": p.grad.numpy() for name, p in parameters}
