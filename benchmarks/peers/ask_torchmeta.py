"""torchmeta's own sine waves and its MAML step."""

import torch
from torchmeta.modules import MetaLinear, MetaSequential
from torchmeta.utils.gradient_based import gradient_update_parameters


def answers(given):
    model = MetaSequential(MetaLinear(1, 40), torch.nn.ReLU(), MetaLinear(40, 1))
    x, y = torch.tensor(given["support_x"][0]), torch.tensor(given["support_y"][0])
    loss = (model(x) - y).square().mean()
    params = gradient_update_parameters(model, loss, step_size=0.01)
    (model(x, params=params) - y).square().mean().backward()
    return {}
