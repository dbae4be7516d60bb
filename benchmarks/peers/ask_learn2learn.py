"""Meta-gradients of learn2learn, as its documentation loops over tasks."""

from learn2learn.algorithms.maml import MAML
from sine import gradients, network, tasks
from torch.nn.functional import mse_loss as mse


def answers(given):
    found = {}
    for steps in (1, 3):
        model = network(given)
        maml, total = MAML(model, lr=0.01), 0.0
        for x, y, query_x, query_y in tasks(given):
            learner = maml.clone()
            for _ in range(steps):
                learner.adapt(mse(learner(x), y))
            total = total + mse(learner(query_x), query_y)
        (total / 5).backward()
        found |= gradients(steps, model.named_parameters())
    return found
