"""Typical wrong solutions of assignment 2, and the points by tests that each earns.

Of 15: question 1 earns 2, 2 earns 1, 3 earns 2 + 2, 4 earns 2 + 1, 5 earns 2 + 1,
and 7 earns 1 + 1.
"""

WRONG = [
    {
        "name": "first order by hand",
        "why": "the factor that the start's gradient passes through is left out",
        "points": 13,
        "cells": {
            "q1_answer": """
adapted = {"Cem": 3.6, "Dina": 4.8}
meta_loss_by_hand = 9.8
first_order_by_hand = meta_gradient_by_hand = -5.6
new_start = 4 + 0.5 * 5.6
adapted_twice = {"Cem": 3.28, "Dina": 5.44}
meta_gradient_twice = (3.28 - 5) + (5.44 - 9)
"""
        },
    },
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
        "name": "in place",
        "why": "the step changes the parameters that it was handed, and has no trail",
        "points": 9,  # question 3, and training in 7 stops with an error
        "cells": {
            "q3_answer": """
def adapt(model, params, x, y, mask, loss_fn, fast_lr, num_steps):
    for _ in range(num_steps):
        loss = loss_fn(functional_call(model, params, (x,)), y, mask)
        grads = torch.autograd.grad(loss, [*params.values()])
        with torch.no_grad():
            for p, g in zip(params.values(), grads):
                p -= fast_lr * g
    return params
"""
        },
    },
    {
        "name": "mask not handed on",
        "why": "adapts to empty places, too",
        "points": 13,
        "cells": {
            "q3_answer": """
def adapt(model, params, x, y, mask, loss_fn, fast_lr, num_steps):
    for _ in range(num_steps):
        prediction = functional_call(model, params, (x,))
        loss = loss_fn(prediction, y, torch.ones_like(mask))
        grads = torch.autograd.grad(loss, [*params.values()],
                                    create_graph=True)
        params = {name: p - fast_lr * g
                  for (name, p), g in zip(params.items(), grads)}
    return params
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
        "points": 13,  # the gradient of this loss is right, and 7 takes it as it is
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
        "name": "adapted parameters cut off",
        "why": "detached before they are judged, so no gradient reaches the start",
        "points": 14,
        "cells": {
            "q4_answer": """
def meta_loss(model, params, batch, adapt, loss_fn, **inner):
    losses = []
    for i in range(len(batch)):
        x, y, mask, query_x, query_y, query_mask = task(batch, i)
        own = adapt(model, params, x, y, mask, loss_fn, **inner)
        own = {name: p.detach().requires_grad_() for name, p in own.items()}
        prediction = functional_call(model, own, (query_x,))
        losses.append(loss_fn(prediction, query_y, query_mask))
    return torch.stack(losses).mean()
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
        "name": "first factor first",
        "why": "the factors are multiplied forward, though the last one meets g first",
        "points": 14,
        "cells": {
            "q5_answer": """
def meta_gradient(support_loss, query_loss, theta, fast_lr, num_steps):
    points = [theta]
    for _ in range(num_steps):
        points.append(points[-1] - fast_lr * grad(support_loss)(points[-1]))
    v = grad(query_loss)(points[-1])
    for point in points[:-1]:
        v = v - fast_lr * jvp(grad(support_loss), (point,), (v,))[1]
    return v
"""
        },
    },
    {
        "name": "rule fitted to the new children",
        "why": "the rival has seen the answers that it is judged by",
        "points": 14,
        "cells": {
            "q7a_answer": """
def one_seed(seed):
    known, new = classes(seed)
    model = meta_train(known, seed)
    params = dict(model.named_parameters())
    predictions = []
    for i in range(len(new)):
        x, y, mask, query_x, _, _ = task(new, i)
        own = adapt(model, params, x, y, mask, mse, FAST_LR, STEPS)
        predictions.append(functional_call(model, own, (query_x,)).detach())
    return (rmse(torch.stack(predictions).numpy(), new),
            rmse(trusted_level(new)(new), new),
            rmse(pooled_polynomial(new)(new), new))


results = np.array([one_seed(seed) for seed in SEEDS])
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
