"""Meta-gradients of TorchOpt."""

import torchopt
from sine import gradients, network, tasks
from torch.nn.functional import mse_loss as mse


def answers(given):
    found = {}
    for steps in (1, 3):
        model = network(given)
        parameters = [*model.named_parameters()]
        optimizer = torchopt.MetaSGD(model, lr=0.01)
        start = torchopt.extract_state_dict(model, by="reference")
        start_of_optimizer = torchopt.extract_state_dict(optimizer, by="reference")
        total = 0.0
        for x, y, query_x, query_y in tasks(given):
            for _ in range(steps):
                optimizer.step(mse(model(x), y))
            total = total + mse(model(query_x), query_y)
            torchopt.recover_state_dict(model, start)
            torchopt.recover_state_dict(optimizer, start_of_optimizer)
        (total / 5).backward()
        found |= gradients(steps, parameters)
    return found
