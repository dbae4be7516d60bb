"""Whatever layers a user brings: the meta-gradient of a plain loop, or a clear no.

The oracle knows nothing of vmap, of torch.func or of our code: a loop over tasks, each
of its steps by torch.autograd.grad.
"""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations
from torch.overrides import TorchFunctionMode

from refimpl.maml import (
    adapt,
    binary_cross_entropy,
    cross_entropy,
    evaluate,
    exact,
    meta_loss,
    mse,
    predict,
)
from refimpl.tasks import TaskBatch

STEPS, RATE = 2, 0.1


class Made(nn.Module):
    """A model of ``parts`` that ``run`` puts together."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run, self.parts = run, nn.ModuleDict(parts)

    def forward(self, x):
        return self.run(self.parts, x)


def after_linear(run, outputs=6):
    return Made(lambda own, x: run(own["linear"](x)), linear=nn.Linear(4, outputs))


def image_net(*layers):
    """Of images of 6 x 6: a convolution to 4 channels of 4 x 4, then ``layers``."""
    layers = [nn.Conv2d(1, 4, 3), *layers, nn.Tanh(), nn.Flatten()]
    return nn.Sequential(*layers, nn.LazyLinear(2))


def around(layer, outputs=8):
    return nn.Sequential(nn.Linear(4, 8), layer, nn.Tanh(), nn.Linear(outputs, 2))


def tied():
    own, net = nn.Linear(4, 4), nn.Sequential()
    return net.extend([own, nn.Tanh(), own])


VECTOR, IMAGE, VOLUME = (4,), (1, 6, 6), (1, 4, 4, 4)
SERIES, TOKENS = (2, 6), (3, 4)
ACTIVATIONS = [
    nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU,
    nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid,
    nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink,
]  # fmt: skip
OF_VECTORS = {kind.__name__: lambda kind=kind: around(kind()) for kind in ACTIVATIONS}
OF_VECTORS |= {
    "GLU": lambda: around(nn.GLU(), 4),
    "Softmax": lambda: around(nn.Softmax(-1)),
    "LogSoftmax": lambda: around(nn.LogSoftmax(-1)),
    "LayerNorm": lambda: around(nn.LayerNorm(8)),
    "LayerNorm, twice": lambda: around(
        nn.Sequential(nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 8), nn.LayerNorm(8))
    ),
    "LayerNorm, plain": lambda: around(nn.LayerNorm(8, elementwise_affine=False)),
    "RMSNorm": lambda: around(nn.RMSNorm(8)),
    "weight_norm": lambda: around(parametrizations.weight_norm(nn.Linear(8, 8))),
    "orthogonal": lambda: around(parametrizations.orthogonal(nn.Linear(8, 8))),
    "spectral_norm, trained": lambda: around(
        parametrizations.spectral_norm(nn.Linear(8, 8)).eval()
    ),
    "spectral_norm, trained, twice": lambda: Made(
        lambda own, x: own["l"](own["l"](x).tanh()),
        l=parametrizations.spectral_norm(nn.Linear(4, 4)).eval(),
    ),
    "Dropout, eval": lambda: around(nn.Dropout()).eval(),
    "Unflatten": lambda: around(nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Flatten())),
    "tied": tied,
    "Bilinear": lambda: Made(lambda own, x: own["b"](x, x), b=nn.Bilinear(4, 4, 2)),
}


def order(x):
    return x.detach().argsort(-1)


OPERATIONS = {
    "layer_norm": lambda x: F.layer_norm(x, (6,)).tanh(),
    "cosine_similarity": lambda x: F.cosine_similarity(
        x[:, None, :3], x[:, None, 3:], dim=-1
    ),
    "normalize": lambda x: F.normalize(x, dim=-1),
    "logsumexp": lambda x: torch.logsumexp(x, -1, keepdim=True),
    "std": lambda x: x / x.std(-1, keepdim=True),
    "cumsum, cumprod": lambda x: x.cumsum(-1).tanh().cumprod(-1),
    "sort": lambda x: x.sort(-1).values.tanh(),
    "max": lambda x: x.tanh().max(-1, keepdim=True).values,
    "median, topk": lambda x: x.median(-1, keepdim=True).values * x.topk(2).values,
    "cummax": lambda x: x.tanh().cummax(-1).values,
    "where, clamp": lambda x: torch.where(x > 0, x.tanh(), 0.1 * x).clamp(-0.5, 0.5),
    "index_select": lambda x: x.tanh().index_select(-1, torch.tensor([0, 2, 2])),
    "indices": lambda x: x.tanh()[:, [3, 1, 1]],
    "gather": lambda x: x.tanh().gather(-1, order(x)[:, :2]),
    "scatter": lambda x: torch.zeros_like(x).scatter(-1, order(x), x.tanh()),
    "scatter_add": lambda x: torch.zeros_like(x).scatter_add(
        -1, order(x) // 2, x.tanh()
    ),
    "index_add": lambda x: torch.zeros_like(x).index_add(
        -1, torch.arange(6) // 2, x.tanh()
    ),
    "masked_fill": lambda x: x.tanh().masked_fill(x < 0, 0.0),
    "assigned": lambda x: x.tanh().clone().index_fill_(-1, torch.tensor([0]), 0.0),
    "chunk, cat": lambda x: torch.cat([part.tanh() for part in x.chunk(3, -1)][1:], -1),
    "unbind, stack": lambda x: torch.stack([part.sin() for part in x.unbind(-1)], -1),
    "pad, roll": lambda x: F.pad(x.tanh(), (1, 1)).roll(1, -1),
    "matmul": lambda x: (x.view(-1, 2, 3) @ x.view(-1, 3, 2)).flatten(1).tanh(),
    "bmm": lambda x: torch.bmm(x.view(-1, 2, 3), x.view(-1, 3, 2)).flatten(1).tanh(),
    "vector_norm": lambda x: torch.linalg.vector_norm(x, dim=-1, keepdim=True),
    "svd": lambda x: torch.linalg.svdvals(x.view(-1, 2, 3)),
    "grad": torch.func.grad(lambda x: x.tanh().square().sum()),
    "einsum": lambda x: torch.einsum("bi,bj->bij", x, x).flatten(1).tanh(),
    "solve": lambda x: torch.linalg.solve(x.T @ x + torch.eye(6).to(x), x.T).T,
}
OF_IMAGES = {
    "LayerNorm": lambda: image_net(nn.LayerNorm([4, 4, 4])),
    "GroupNorm": lambda: image_net(nn.GroupNorm(2, 4)),
    "InstanceNorm": lambda: image_net(nn.InstanceNorm2d(4, affine=True)),
    "LocalResponseNorm": lambda: image_net(nn.LocalResponseNorm(2)),
    "BatchNorm, trained": lambda: image_net(nn.BatchNorm2d(4)).eval(),
    "InstanceNorm, trained": lambda: image_net(
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
    ).eval(),
    "Dropout2d, eval": lambda: image_net(nn.Dropout2d()).eval(),
    "Softmax2d": lambda: image_net(nn.Softmax2d()),
    "Unfold, Fold": lambda: image_net(nn.Unfold(2, stride=2), nn.Fold(4, 2, stride=2)),
    "LPPool": lambda: image_net(nn.LPPool2d(2, 2)),
    "bicubic": lambda: image_net(nn.Upsample(scale_factor=2, mode="bicubic")),
    "ChannelShuffle": lambda: image_net(nn.ChannelShuffle(2), nn.PixelUnshuffle(2)),
    "same, dilation": lambda: image_net(
        nn.Conv2d(4, 4, 3, padding="same"), nn.Tanh(), nn.Conv2d(4, 2, 2, dilation=2)
    ),
    "residual": lambda: image_net(
        Made(lambda own, x: x + own["c"](x).relu(), c=nn.Conv2d(4, 4, 3, padding=1))
    ),
    "MaxPool": lambda: image_net(nn.MaxPool2d(2)),
    "AvgPool": lambda: image_net(nn.AvgPool2d(2)),
    "AdaptiveAvgPool": lambda: image_net(nn.AdaptiveAvgPool2d(2)),
    "AdaptiveMaxPool": lambda: image_net(nn.AdaptiveMaxPool2d(2)),
    "Upsample": lambda: image_net(nn.Upsample(scale_factor=2)),
    "bilinear": lambda: image_net(nn.Upsample(scale_factor=2, mode="bilinear")),
    "PixelShuffle": lambda: image_net(nn.PixelShuffle(2)),
    "strides": lambda: image_net(nn.Conv2d(4, 4, 2, stride=2, groups=2)),
    "reflected": lambda: image_net(
        nn.Conv2d(4, 3, 3, padding=1, padding_mode="reflect")
    ),
    "ConvTranspose": lambda: image_net(nn.ConvTranspose2d(4, 2, 3)),
}
OF_SERIES = {
    kind.__name__: lambda kind=kind, given=given: nn.Sequential(
        nn.Conv1d(2, 4, 3), kind(*given), nn.Tanh(), nn.Flatten(), nn.LazyLinear(2)
    )
    for kind, *given in [
        (nn.Conv1d, 4, 2, 3), (nn.ConvTranspose1d, 4, 2, 2), (nn.InstanceNorm1d, 4),
        (nn.GroupNorm, 2, 4), (nn.MaxPool1d, 2), (nn.AvgPool1d, 2),
        (nn.AdaptiveMaxPool1d, 2), (nn.AdaptiveAvgPool1d, 2),
    ]
}  # fmt: skip
OF_VOLUMES = {
    kind.__name__: lambda kind=kind, given=given: nn.Sequential(
        nn.Conv3d(1, 2, 2), kind(*given), nn.Tanh(), nn.Flatten(), nn.LazyLinear(2)
    )
    for kind, *given in [
        (nn.Conv3d, 2, 2, 2), (nn.ConvTranspose3d, 2, 1, 2), (nn.InstanceNorm3d, 2),
        (nn.GroupNorm, 1, 2), (nn.MaxPool3d, 2), (nn.AvgPool3d, 2),
        (nn.AdaptiveMaxPool3d, 2), (nn.AdaptiveAvgPool3d, 2),
    ]
}  # fmt: skip
PLAIN = {"dropout": 0.0, "batch_first": True}
OF_TOKENS = {
    "encoder": lambda: nn.TransformerEncoderLayer(4, 2, 8, **PLAIN),
    "encoder, eval": lambda: nn.TransformerEncoderLayer(4, 2, 8, **PLAIN).eval(),
    "encoder, norm first": lambda: nn.TransformerEncoderLayer(
        4, 2, 8, norm_first=True, **PLAIN
    ),
    "encoders, eval": lambda: nn.TransformerEncoder(
        nn.TransformerEncoderLayer(4, 2, 8, **PLAIN), 2
    ).eval(),
    "decoder": lambda: Made(
        lambda own, x: own["d"](x, x), d=nn.TransformerDecoderLayer(4, 2, 8, **PLAIN)
    ),
    "attention": lambda: Made(
        lambda own, x: own["a"](x, x, x, need_weights=False)[0],
        a=nn.MultiheadAttention(4, 2, **PLAIN),
    ),
    "attention, eval": lambda: Made(
        lambda own, x: own["a"](x, x, x)[0], a=nn.MultiheadAttention(4, 2, **PLAIN)
    ).eval(),
    "attention, eval, no weights": lambda: Made(
        lambda own, x: own["a"](x, x, x, need_weights=False)[0],
        a=nn.MultiheadAttention(4, 2, **PLAIN),
    ).eval(),
    "scaled_dot_product_attention": lambda: after_linear(
        lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)
    ),
}
MODELS = [
    pytest.param(build, shape, id=f"{name}, {len(shape)} axes")
    for models, shape in (
        (OF_VECTORS, VECTOR),
        ({n: partial(after_linear, run) for n, run in OPERATIONS.items()}, VECTOR),
        (OF_IMAGES, IMAGE),
        (OF_SERIES, SERIES),
        (OF_VOLUMES, VOLUME),
        (OF_TOKENS, TOKENS),
    )
    for name, build in models.items()
]


def half(prediction, target, mask):
    """A squared error over whatever axes there are, of the observed."""
    error = (prediction - target.view(prediction.shape)).square().flatten(1).mean(dim=1)
    return torch.where(mask == 1, error, 0.0).sum() / mask.sum().clamp(min=1)


def of_each(loss):
    """A loss of the user's own, from one that gives a number for each output."""

    def loss_fn(prediction, target, mask):
        each = loss(prediction, target).view(len(mask), -1).mean(dim=1)
        return torch.where(mask == 1, each, 0.0).sum() / mask.sum().clamp(min=1)

    return loss_fn


def unreduced(loss, **given):
    return of_each(partial(loss, reduction="none", **given))


LOSSES = {
    "mse": mse,
    "binary cross-entropy": lambda p, t, m: binary_cross_entropy(p, t.sigmoid(), m),
    "cross-entropy": lambda p, t, m: cross_entropy(p, t.argmax(1), m),
    "with probabilities": of_each(
        lambda p, t: F.cross_entropy(p, t.softmax(1), reduction="none")
    ),
    "smoothed labels": of_each(
        lambda p, t: F.cross_entropy(
            p, t.argmax(1), reduction="none", label_smoothing=0.1
        )
    ),
    "ignored labels": lambda p, t, m: F.cross_entropy(
        p, torch.where(m == 1, t.argmax(1), -100), reduction="sum"
    ),
    "of probabilities": of_each(
        lambda p, t: F.binary_cross_entropy(p.sigmoid(), t.sigmoid(), reduction="none")
    ),
    "huber": unreduced(F.huber_loss),
    "smooth": unreduced(F.smooth_l1_loss, beta=0.3),
    "absolute": unreduced(F.l1_loss),
    "hinge": of_each(lambda p, t: (1 - p * t.sign()).relu()),
    "poisson": unreduced(F.poisson_nll_loss),
    "divergence": of_each(
        lambda p, t: F.kl_div(p.log_softmax(1), t.softmax(1), reduction="none")
    ),
    "focal": of_each(lambda p, t: (1 - p.sigmoid()) ** 2 * F.logsigmoid(p * t.sign())),
    "triplet": of_each(lambda p, t: F.triplet_margin_loss(p, t, -t, reduction="none")),
}


def given(build, shape, integers=0, tasks=3, shots=4, queries=3):
    """A model in float64, its parameters, and tasks with some places empty."""
    torch.manual_seed(0)
    rng, model = np.random.default_rng(0), build()
    arrays = []
    for examples in (shots, queries):
        size = (tasks, examples, *shape)
        x = rng.integers(integers, size=size) if integers else rng.normal(size=size)
        with torch.no_grad():
            outputs = model.double()(torch.as_tensor(x[0]))[0].numel()
        mask = np.ones((tasks, examples))
        mask[1, 1:] = 0
        arrays += [x, rng.normal(size=(tasks, examples, outputs)), mask]
    return model, dict(model.named_parameters()), TaskBatch(*arrays)


def plain_loop(model, params, batch, loss_fn):
    """The meta-gradient, as one would write it down."""
    total = 0.0
    with sdpa_kernel(SDPBackend.MATH):
        for sx, sy, sm, qx, qy, qm in zip(
            *vars(batch.map(torch.as_tensor)).values(), strict=True
        ):
            own = params
            for _ in range(STEPS):
                loss = loss_fn(functional_call(model, own, (sx,)), sy, sm)
                slopes = torch.autograd.grad(loss, [*own.values()], create_graph=True)
                own = {
                    n: p - RATE * g
                    for (n, p), g in zip(own.items(), slopes, strict=True)
                }
            total = total + loss_fn(functional_call(model, own, (qx,)), qy, qm)
    return torch.autograd.grad(total / len(batch), [*params.values()])


def assert_same(model, params, batch, loss_fn=half, **how):
    fast = {"fast_lr": RATE, "num_steps": STEPS, **how}
    ours = meta_loss(model, params, batch, loss_fn, **fast)
    found = torch.autograd.grad(ours, [*params.values()])
    for module in model.modules():  # in evaluation attention has fused kernels only
        module.training = module.training or isinstance(
            module, nn.MultiheadAttention | nn.TransformerEncoderLayer
        )
    expected = plain_loop(model, params, batch, loss_fn)
    for name, a, b in zip(params, found, expected, strict=True):
        scale = max(b.abs().max().item(), 1e-3)
        assert (a - b).abs().max() <= 1e-10 * scale, name


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize(("build", "shape"), MODELS)
def test_the_meta_gradient_is_that_of_a_plain_loop(build, shape):
    assert_same(*given(build, shape))


@pytest.mark.parametrize("padding", [None, 0, -1])
def test_embeddings_learn_from_integers_but_not_at_the_padding(padding):
    def build():
        rows = nn.Embedding(6, 4, padding_idx=padding)
        return nn.Sequential(rows, nn.Flatten(), nn.Linear(12, 2), nn.Tanh())

    model, params, batch = given(build, (3,), integers=6)
    assert_same(model, params, batch)
    loss = meta_loss(model, params, batch, half, fast_lr=RATE, num_steps=STEPS)
    slope = torch.autograd.grad(loss, [params["0.weight"]])[0]
    assert (slope.abs().sum(dim=1) == 0).sum() == (padding is not None)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_a_bag_of_embeddings_is_their_sum_mean_or_maximum(mode):
    """PyTorch has no second derivative of its own for bags: the oracle takes rows."""

    def bags():
        return nn.Sequential(nn.EmbeddingBag(6, 4, mode=mode), nn.Linear(4, 2))

    def pooled(own, x):
        rows = own["rows"](x)
        return own["last"](rows.max(1)[0] if mode == "max" else getattr(rows, mode)(1))

    model, params, batch = given(bags, (3,), integers=6)
    loss = meta_loss(model, params, batch, half, fast_lr=RATE, num_steps=STEPS)
    found = torch.autograd.grad(loss, [*params.values()])
    rows = nn.Embedding.from_pretrained(model[0].weight.detach(), freeze=False)
    oracle = Made(pooled, rows=rows, last=model[1])
    expected = plain_loop(oracle, dict(oracle.named_parameters()), batch, half)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    with (
        exact(),
        pytest.raises(ValueError, match=r"expected bags .* without .*offsets"),
    ):
        model[0](torch.arange(6), torch.tensor([0, 2]))


def test_adapt_alone_differentiates_attention_inside_of_exact():
    model, params, batch = given(OF_TOKENS["encoder, eval"], TOKENS, tasks=2)
    x, y, mask, query_x, query_y, query_mask = map(
        torch.as_tensor, vars(batch).values()
    )
    total = 0.0
    for i in range(2):
        with exact():
            own = adapt(model, params, x[i], y[i], mask[i], half, RATE, STEPS)
        prediction = functional_call(model, own, (query_x[i],))
        total = total + half(prediction, query_y[i], query_mask[i]) / 2
    found = torch.autograd.grad(total, [*params.values()])
    expected = plain_loop(model.train(), params, batch, half)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [n for n in OF_TOKENS if n != "decoder"])
def test_attention_predicts_the_same_by_its_fast_path_and_without(name):
    model, params, batch = given(OF_TOKENS[name], TOKENS)
    how = {"loss_fn": half, "fast_lr": RATE, "num_steps": STEPS}
    fast, slow = (predict(model.train(t), params, batch, **how) for t in (False, True))
    np.testing.assert_allclose(fast, slow, rtol=1e-10)


def test_recurrent_layers_leave_cudnn_aside_as_it_has_no_second_derivative():
    seen = {}

    class Spy(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen[func] = torch.backends.cudnn.enabled
            return func(*args, **(kwargs or {}))

    enabled = torch.backends.cudnn.enabled
    with Spy(), exact():
        for kind, more in ((nn.LSTM, ()), (nn.GRU, ()), (nn.RNN, (1, "relu"))):
            kind(4, 3, *more)(torch.zeros(2, 3, 4))
    assert not any(seen[f] for f in (torch.lstm, torch.gru, torch.rnn_relu))
    assert torch.backends.cudnn.enabled is enabled


def recurrent(kind, **more):
    return lambda: Made(
        lambda own, x: own["layer"](x)[0], layer=kind(4, 3, batch_first=True, **more)
    )


def cell(kind, first=lambda state: state):
    return lambda: Made(lambda own, x: first(own["layer"](x)), layer=kind(4, 3))


def only_observed(prediction, target, mask):
    return (prediction[mask == 1] - target[mask == 1]).square().mean()


def counted(prediction, target, mask):
    return half(prediction, target, mask) * mask.sum().item() / 3


def if_any(prediction, target, mask):
    if mask.sum() > 1:
        return half(prediction, target, mask)
    return prediction.square().mean()


def where_positive(own, x):
    y = own["linear"](x).tanh()
    return y * 2 if y.sum() > 0 else y


SIMPLE = partial(around, nn.Tanh())
ONE_BY_ONE = {
    "LSTM": (recurrent(nn.LSTM), TOKENS, half),
    "LSTM, both ways": (
        recurrent(nn.LSTM, num_layers=2, bidirectional=True), TOKENS, half
    ),
    "GRU": (recurrent(nn.GRU), TOKENS, half),
    "RNN": (recurrent(nn.RNN), TOKENS, half),
    "RNN, relu": (recurrent(nn.RNN, nonlinearity="relu"), TOKENS, half),
    "LSTMCell": (cell(nn.LSTMCell, lambda state: state[0]), VECTOR, half),
    "GRUCell": (cell(nn.GRUCell), VECTOR, half),
    "RNNCell": (cell(nn.RNNCell), VECTOR, half),
    "RReLU": (lambda: around(nn.RReLU().eval()), VECTOR, half),
    "an if": (
        lambda: Made(where_positive, linear=nn.Linear(4, 2)), VECTOR, half
    ),
    "prediction[mask == 1]": (SIMPLE, VECTOR, only_observed),
    "item": (SIMPLE, VECTOR, counted),
    "an if in the loss": (SIMPLE, VECTOR, if_any),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", ONE_BY_ONE)
def test_what_vmap_cannot_take_says_so_and_a_plain_loop_can(name):
    build, shape, loss_fn = ONE_BY_ONE[name]
    model, params, batch = given(build, shape)
    how = {"loss_fn": loss_fn, "fast_lr": RATE, "num_steps": STEPS}
    clear = r"^model, loss_fn or metric: PyTorch cannot .* use vectorize=False"
    for function in (meta_loss, predict, evaluate):
        for together in (True, 2):
            with pytest.raises(RuntimeError, match=clear) as caught:
                function(model, params, batch, vectorize=together, **how)
        assert caught.value.__cause__ is not None
    assert_same(model, params, batch, loss_fn, vectorize=False)
    ends = evaluate(model, params, batch, vectorize=False, **how)[-1]
    loss = meta_loss(model, params, batch, vectorize=False, **how)
    assert ends.mean() == pytest.approx(loss.item(), rel=1e-12)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("name", LOSSES)
def test_losses_of_all_kinds_have_the_meta_gradient_of_a_plain_loop(name):
    loss_fn = LOSSES[name]
    assert_same(*given(SIMPLE, VECTOR), loss_fn)


def test_tasks_in_chunks_and_one_by_one_are_the_same_tasks():
    model, params, batch = given(lambda: around(nn.Tanh()), VECTOR, tasks=5)
    values = [
        meta_loss(model, params, batch, mse, fast_lr=RATE, vectorize=how).item()
        for how in (True, 1, 2, 5, 100, False)
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-12)
    for wrong in (0, -1, 1.5, "all"):
        with pytest.raises((TypeError, ValueError), match="vectorize: expected"):
            meta_loss(model, params, batch, mse, vectorize=wrong)


def test_integers_are_not_rounded_with_the_numbers():
    """bfloat16 has no 301."""
    seen = []

    class Seeing(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Embedding(400, 2)

        def forward(self, x):
            seen.append(x.dtype)
            return self.rows(x)[:, 0]

    model = Seeing().to(torch.bfloat16)
    x, y, mask = np.full((1, 2, 1), 301), np.zeros((1, 2, 2), "f"), np.ones((1, 2), "f")
    batch = TaskBatch(x, y, mask, x, y, mask)
    loss = meta_loss(model, dict(model.named_parameters()), batch, mse, fast_lr=0.1)
    loss.backward()
    assert set(seen) == {torch.int64}
    assert model.rows.weight.grad.abs().sum(dim=1).nonzero().tolist() == [[301]]
