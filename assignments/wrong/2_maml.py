"""Typical wrong solutions of assignment 2, and the points by tests that each earns.

Of 15: question 1 earns 2, 2 earns 1, 3 earns 2 + 2, 4 earns 2 + 1, 5 earns 2 + 1,
and 7 earns 1 + 1.
"""

WRONG = [
    {
        "name": "graph not kept",
        "why": "without create_graph the step counts as a constant: first order",
        "points": 13,  # the trail of question 3
        "cells": {
            "q3_answer": """
def adapt(model, params, x, y, mask, loss_fn, fast_lr, num_steps):
    for _ in range(num_steps):
        loss = loss_fn(functional_call(model, params, (x,)), y, mask)
        grads = torch.autograd.grad(loss, [*params.values()])
        params = {name: p - fast_lr * g
                  for (name, p), g in zip(params.items(), grads)}
    return params
"""
        },
    },
    {
        "name": "one step only",
        "why": "num_steps is not looked at",
        "points": 13,  # its derivative is right for the one step that it takes
        "cells": {
            "q3_answer": """
def adapt(model, params, x, y, mask, loss_fn, fast_lr, num_steps):
    loss = loss_fn(functional_call(model, params, (x,)), y, mask)
    grads = torch.autograd.grad(loss, [*params.values()], create_graph=True)
    return {name: p - fast_lr * g
            for (name, p), g in zip(params.items(), grads)}
"""
        },
    },
    {
        "name": "mask ignored",
        "why": "what was not observed counts as a score of zero",
        "points": 14,
        "cells": {
            "q2_answer": """
def mse(prediction, target, mask):
    return (prediction - target).square().mean()
"""
        },
    },
    {
        "name": "judged by the support set",
        "why": "the loss after adapting is taken on the data adapted to",
        "points": 11,  # question 4, and what is trained with it in 7
        "cells": {
            "q4_answer": """
def meta_loss(model, params, batch, adapt, loss_fn, **inner):
    total = 0.0
    for i in range(len(batch)):
        x, y, mask, query_x, query_y, query_mask = task(batch, i)
        own = adapt(model, params, x, y, mask, loss_fn, **inner)
        total = total + loss_fn(functional_call(model, own, (x,)), y, mask)
    return total / len(batch)
"""
        },
    },
    {
        "name": "sum over students",
        "why": "twice as many students pull twice as hard",
        "points": 13,  # its gradient is that of the sum
        "cells": {
            "q4_answer": """
def meta_loss(model, params, batch, adapt, loss_fn, **inner):
    total = 0.0
    for i in range(len(batch)):
        x, y, mask, query_x, query_y, query_mask = task(batch, i)
        own = adapt(model, params, x, y, mask, loss_fn, **inner)
        prediction = functional_call(model, own, (query_x,))
        total = total + loss_fn(prediction, query_y, query_mask)
    return total
"""
        },
    },
    {
        "name": "first order meta-gradient",
        "why": "the query gradient is not pulled back through the steps",
        "points": 12,
        "cells": {
            "q5_answer": """
def meta_gradient(support_loss, query_loss, theta, fast_lr, num_steps):
    for _ in range(num_steps):
        theta = theta - fast_lr * grad(support_loss)(theta)
    return grad(query_loss)(theta).detach()
"""
        },
    },
    {
        "name": "spread for error",
        "why": "the standard deviation over seeds is not the error of their mean",
        "points": 14,
        "cells": {
            "q7b_answer": """
lead, lead_se = [f(results[:, 1] - results[:, 0]) for f in (np.mean, np.std)]
lead_line, lead_line_se = [f(results[:, 2] - results[:, 0]) for f in (np.mean, np.std)]
"""
        },
    },
]
