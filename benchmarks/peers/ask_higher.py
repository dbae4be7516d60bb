"""Meta-gradients of higher."""

import higher
import torch
from sine import gradients, network, tasks
from torch.nn.functional import mse_loss as mse


def answers(given):
    found = {}
    for steps in (1, 3):
        model = network(given)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for x, y, query_x, query_y in tasks(given):
            with higher.innerloop_ctx(model, optimizer, copy_initial_weights=False) as (
                learner,
                inner,
            ):
                for _ in range(steps):
                    inner.step(mse(learner(x), y))
                (mse(learner(query_x), query_y) / 5).backward()
        found |= gradients(steps, model.named_parameters())
    return found
