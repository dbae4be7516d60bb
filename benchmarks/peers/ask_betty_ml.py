"""Betty: multilevel optimization. Two problems and an engine can be made."""

import torch
from betty.engine import Engine
from betty.problems import ImplicitProblem


def answers(given):
    class Inner(ImplicitProblem):
        def training_step(self, batch):
            x, y = batch
            return (self.module(x) - y).square().mean()

    x, y = torch.tensor(given["support_x"][0]), torch.tensor(given["support_y"][0])
    net = torch.nn.Linear(1, 1)
    problem = Inner(
        name="inner",
        module=net,
        optimizer=torch.optim.SGD(net.parameters(), lr=0.01),
        train_data_loader=[(x, y)],
    )
    from betty.configs import EngineConfig

    engine = Engine(
        problems=[problem],
        config=EngineConfig(train_iters=2),
        dependencies={"u2l": {}, "l2u": {}},
    )
    engine.run()
    return {}
