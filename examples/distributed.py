"""MAML on several processes or machines: each adapts to its share of the tasks.

    torchrun --nproc-per-node 2 examples/distributed.py --out sine.safetensors

All processes draw the same batch and keep the same parameters; only gradients
travel. With gloo this runs on any machine; between GPUs, choose nccl. PyTorch's
DistributedDataParallel cannot do this, and fails in its second iteration: it waits
for calls of the wrapped model, and MAML calls it with other parameters.
"""

import argparse
from collections.abc import Iterable

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from refimpl.maml import meta_loss, save_tensors, sinusoid_network
from refimpl.tasks import SinusoidTasks


def fill_gradients(loss: torch.Tensor, parameters: Iterable[nn.Parameter]) -> None:
    """Give each parameter the gradient of the sum of all processes' losses.

    That of a parameter which the loss does not use is 0.
    """
    moving = [p for p in parameters if p.requires_grad]
    gradients = torch.autograd.grad(loss, moving, materialize_grads=True)
    for parameter, gradient in zip(moving, gradients, strict=True):
        parameter.grad = gradient.contiguous()
        dist.all_reduce(parameter.grad)


def main(iterations: int, tasks: int, seed: int, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    if tasks < world:
        raise ValueError(f"tasks: expected one for each process, got {tasks}")
    model = sinusoid_network(seed)
    params = dict(model.named_parameters())
    optimizer = torch.optim.Adam(params.values(), lr=0.001)
    for iteration in range(iterations):
        rng = np.random.default_rng([seed, iteration])
        batch = SinusoidTasks().sample(tasks, shots=10, queries=10, rng=rng)
        share = batch.map(lambda array: array[rank::world])
        loss = meta_loss(model, params, share) * len(share) / len(batch)
        fill_gradients(loss, params.values())
        optimizer.step()
    if rank == 0:
        save_tensors(out, params, {"processes": world, "iterations": iterations})
    dist.destroy_process_group()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--tasks", type=int, default=25, help="in a batch, in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", required=True, help="a safetensors file")
    main(**vars(parser.parse_args()))
