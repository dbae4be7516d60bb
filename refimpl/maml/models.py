"""The small networks that the chapters use."""

from itertools import pairwise

import torch
from torch import nn


def mlp(*sizes: int, activation: type[nn.Module] = nn.ReLU, seed: int) -> nn.Sequential:
    """A fully connected network with PyTorch's default initialization.

    ``mlp(1, 40, 40, 1, seed=0)`` has one input, two hidden layers of 40 units
    and one output, with ``activation`` between. The global random state is left as it
    was. Raises a ValueError if there are not two sizes.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes: expected inputs and outputs at least, got {sizes}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(seed))
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def sinusoid_network(seed: int) -> nn.Sequential:
    """The 1-40-40-1 ReLU network of Finn, Abbeel & Levine (2017), section 5.1.

    With the initialization of the authors' code: biases 0, weights normal
    with standard deviation 0.01, redrawn beyond two deviations.
    """
    model = mlp(1, 40, 40, 1, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for layer in (module for module in model if isinstance(module, nn.Linear)):
        nn.init.zeros_(layer.bias)
        nn.init.trunc_normal_(
            layer.weight, std=0.01, a=-0.02, b=0.02, generator=generator
        )
    return model
