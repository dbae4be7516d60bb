"""Acting in NumPy is acting as the network says, and any network can act."""

import gymnasium as gym
import keras
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from refimpl.ppo import (
    ActorCritic,
    MetaPolicy,
    Policy,
    RecurrentActorCritic,
    evaluate,
    train,
)
from refimpl.ppo.compiled import Alike, judge_for, values_of
from refimpl.ppo.distributions import Categorical, Gaussian
from refimpl.ppo.episodes import actor_output
from tests.ppo.odd_worlds import (
    Simple,
    plain_policy,
    ran,
    same,
    students,
    weights_of,
)

BOTH = ("observations", "rewards")
SEEN = Box(-9, 9, (6,), np.float32)


class Spaces:
    def __init__(self, chosen, seen=SEEN):
        self.single_observation_space, self.single_action_space = seen, chosen


def scaled(policy):
    """With scales that are far from those of a new policy."""
    rows = np.random.default_rng(1).normal(3, 2, (100, 6)).astype(np.float32)
    policy.observation_scale.update(rows)
    return policy


MAKE = {
    "discrete": lambda: ActorCritic(Spaces(Discrete(3)), (8, 5), seed=0),
    "a start": lambda: ActorCritic(Spaces(Discrete(3, start=5)), (8,), seed=0),
    "one layer": lambda: ActorCritic(Spaces(Discrete(3)), (), seed=0),
    "masked": lambda: ActorCritic(Spaces(Discrete(3)), (8,), seed=0, masked=True),
    "box": lambda: ActorCritic(Spaces(Box(-1, 1, (2,))), (8,), seed=0),
    "scaled": lambda: scaled(
        ActorCritic(Spaces(Discrete(3)), (8,), seed=0, normalize=["observations"])
    ),
    "scaled box": lambda: scaled(
        ActorCritic(
            Spaces(Box(-1, 1, (2,))),
            (8,),
            seed=0,
            normalize=["observations", "rewards"],
        )
    ),
    "scaled and masked": lambda: scaled(
        ActorCritic(
            Spaces(Discrete(3)), (8,), seed=0, masked=True, normalize=["observations"]
        )
    ),
    "meta": lambda: MetaPolicy(Spaces(Discrete(3)), (8, 5), seed=0),
    "meta box": lambda: MetaPolicy(Spaces(Box(-1, 1, (2,))), (8,), seed=0),
}


def drawn(policy):
    """Large weights: a new policy's outputs are all about 0."""
    rng = np.random.default_rng(0)
    for weight in policy.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    return policy


def observations(count=300):
    seen = np.random.default_rng(2).normal(2, 2, (count, 6)).astype(np.float32)
    allowed = np.random.default_rng(3).integers(3, size=count)
    mask = np.random.default_rng(4).random((count, 3)) < 0.5
    mask[np.arange(count), allowed] = True
    seen[:, -3:] = mask
    return seen


@pytest.fixture
def bare(monkeypatch):
    """Policies return what the network says, in place of an action drawn from it."""
    for kind in (Categorical, Gaussian):
        monkeypatch.setattr(kind, "sampler", lambda self: lambda output, noise: output)


@pytest.mark.parametrize("name", list(MAKE))
def test_numpy_computes_what_the_network_does(name, bare):
    policy, seen = drawn(MAKE[name]()), observations()
    output = policy(seen)[0].numpy()
    np.testing.assert_allclose(policy.act(seen, 0), output, rtol=1e-4, atol=1e-5)
    inherited = Policy.acting(policy)(seen, 0)
    np.testing.assert_allclose(inherited, output, rtol=1e-4, atol=1e-5)
    assert np.ptp(output[:, 0]) > 1


@pytest.mark.parametrize("name", list(MAKE))
@pytest.mark.parametrize("size", [0, 1])
def test_both_ways_of_acting_choose_the_same(name, size):
    policy, seen = drawn(MAKE[name]()), observations()
    noise = size * policy.distribution.noise(np.random.default_rng(0), (300,))
    quick, slow = policy.act(seen, noise), Policy.acting(policy)(seen, noise)
    assert quick.dtype == slow.dtype
    np.testing.assert_allclose(quick, slow, rtol=1e-4, atol=1e-5)
    assert len(np.unique(quick)) >= 2 + size
    if policy.settings.get("masked"):
        assert (seen[np.arange(300), quick - 3] == 1).all()


def test_noise_is_scaled_by_the_deviation_of_now():
    policy = drawn(MAKE["box"]())
    seen, noise = observations(2), np.array([[1, -2], [0, 3]], np.float32)
    for log_std in ([0.0, 0.0], [0.5, -1.0]):
        policy.distribution.log_std.assign(log_std)
        moved = policy.act(seen, noise) - policy.act(seen, 0 * noise)
        np.testing.assert_allclose(moved, noise * np.exp(log_std), rtol=1e-4, atol=1e-5)


def test_what_is_no_array_of_floats_can_be_acted_on():
    policy = drawn(MAKE["discrete"]())
    seen = observations(4).round()
    noise = np.zeros((4, 3))
    expected = policy.act(seen, noise)
    for other in (seen.astype(int), seen.astype(float), seen.tolist()):
        np.testing.assert_array_equal(policy.act(other, noise), expected)


@pytest.mark.parametrize("size", [0, 1])
def test_a_recurrent_policy_remembers_as_its_cell_does(size, bare):
    policy = drawn(RecurrentActorCritic(Spaces(Discrete(3)), 7, seed=0))
    act, state = policy.acting(), np.zeros((40, 7), np.float32)
    trials = np.random.default_rng(0).normal(size=(40, 5, 6 + 3 + 2))
    trials = trials.astype(np.float32)
    whole, _ = policy(trials)
    for t in range(5):
        output, _, state = policy.step(trials[:, t], state)
        found = act(trials[:, t], size * np.ones((40, 3)))
        np.testing.assert_allclose(found, output, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found, whole[:, t], rtol=1e-4, atol=1e-5)
    # Another one begins anew, as with a new student.
    first = policy.acting()(trials[:, 0], 0)
    np.testing.assert_allclose(first, whole[:, 0], rtol=1e-4, atol=1e-5)
    assert np.abs(whole[:, 1] - policy.act(trials[:, 1], 0)).max() > 0.1


class Twice(RecurrentActorCritic):
    """Computes its steps in its own way."""

    def step(self, inputs, state):
        output, values, state = super().step(inputs, state)
        return 2 * output, values, state


def test_a_recurrent_subclass_acts_by_its_own_step(bare):
    one, two = (
        drawn(kind(Spaces(Discrete(3)), 7, seed=0))
        for kind in (RecurrentActorCritic, Twice)
    )
    inputs = np.random.default_rng(0).normal(size=(2, 9, 11)).astype(np.float32)
    acts = one.acting(), two.acting()
    for now in inputs:
        first, second = (act(now, 0) for act in acts)
        np.testing.assert_allclose(2 * first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("chosen", [Discrete(3), Box(-1, 1, (2,))])
def test_each_task_acts_by_its_own_weights(chosen, bare):
    policy = MetaPolicy(Spaces(chosen), (8, 5), seed=0)
    rng = np.random.default_rng(0)
    weights = [w + rng.normal(size=w.shape) for w in policy.weights_for(4)]
    seen = observations(12).reshape(4, 3, 6)
    found = policy.acting(weights)(seen, 0)
    expected = actor_output(weights, seen)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for i in range(4):  # no task sees another's weights
        own = actor_output([w[i : i + 1] for w in weights], seen[i : i + 1])
        np.testing.assert_allclose(found[i], own[0], rtol=1e-4, atol=1e-5)


# Networks that NumPy does not know


def judged(policy, seen):
    """What training takes the policy's output to be."""
    return judge_for(Alike(policy))(values_of(policy), seen)[0].numpy()


def assert_acts_and_learns_by_what_it_computes(policy, seen):
    output = policy(seen)[0].numpy()
    np.testing.assert_allclose(policy.act(seen, 0), output, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(judged(policy, seen), output, rtol=1e-4, atol=1e-5)


class Doubled(ActorCritic):
    def call(self, observations):
        return 2 * self.actor(observations), self.critic(observations)[:, 0]


def test_a_subclass_that_overrides_call_is_what_acts(bare):
    seen, policy = observations(), drawn(MAKE["discrete"]())
    assert_acts_and_learns_by_what_it_computes(policy, seen)
    other = drawn(Doubled(Spaces(Discrete(3)), (8, 5), seed=0))
    assert_acts_and_learns_by_what_it_computes(other, seen)
    np.testing.assert_allclose(
        other.act(seen, 0), 2 * policy.act(seen, 0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("name", ["discrete", "masked"])
def test_an_actor_of_another_kind_acts_and_learns_by_what_it_computes(bare, name):
    seen, policy = observations(), drawn(MAKE[name]())
    assert_acts_and_learns_by_what_it_computes(policy, seen)
    other = drawn(MAKE[name]())
    net = other.actor.net if name == "masked" else other.actor
    net.layers[0].activation = keras.activations.relu
    assert_acts_and_learns_by_what_it_computes(other, seen)
    assert np.abs(other.act(seen, 0) - policy.act(seen, 0)).max() > 0.1


def test_a_critic_of_another_kind_learns_what_it_computes():
    seen = observations()
    for change in (False, True):
        policy = drawn(MAKE["discrete"]())
        if change:
            policy.critic.layers[0].activation = keras.activations.relu
        values = judge_for(Alike(policy))(values_of(policy), seen)[1]
        np.testing.assert_allclose(values, policy(seen)[1], rtol=1e-4, atol=1e-5)


def test_a_recurrent_actor_of_another_kind_acts_by_what_it_computes(bare):
    policy = drawn(RecurrentActorCritic(Spaces(Discrete(3)), 7, seed=0))
    policy.actor.activation = keras.activations.relu
    inputs = np.random.default_rng(0).normal(size=(9, 11)).astype(np.float32)
    output, *_ = policy.step(inputs, np.zeros((9, 7), np.float32))
    np.testing.assert_allclose(policy.act(inputs, 0), output, rtol=1e-4, atol=1e-5)


def test_two_classes_of_one_name_are_two_policies(bare):
    # In a notebook a cell is changed and run again: the class keeps its name.
    def version(factor):
        class Mine(ActorCritic):
            def call(self, observations):
                output = factor * self.actor(observations)
                return output, self.critic(observations)[:, 0]

        return drawn(Mine(Spaces(Discrete(3)), (8,), seed=0))

    for factor in (1, 3):
        assert_acts_and_learns_by_what_it_computes(version(factor), observations())


class Warm(ActorCritic):
    """A temperature that its settings do not know of."""

    temperature = 1.0

    def call(self, observations):
        output = self.actor(observations) / self.temperature
        return output, self.critic(observations)[:, 0]


def test_what_a_subclass_keeps_to_itself_is_its_own(bare):
    for temperature in (1.0, 5.0):
        policy = drawn(Warm(Spaces(Discrete(3)), (8,), seed=0))
        policy.temperature = temperature
        assert_acts_and_learns_by_what_it_computes(policy, observations())


class Colder(Warm):
    """Sets it where one sets it, after the constructor of what it extends."""

    def __init__(self, envs):
        super().__init__(envs, (8,), seed=0)
        self.temperature = 0.1
        self.warmth = keras.layers.Dense(3)

    def call(self, observations):
        output, values = super().call(observations)
        return output + self.warmth(observations), values


def test_a_subclass_may_add_to_what_it_extends(bare):
    policy = Colder(Spaces(Discrete(3)))
    assert_acts_and_learns_by_what_it_computes(policy, observations())


# Policies of one's own: images, a shared trunk


def images():
    """The left or the right half of an image is bright: which? It pays to know."""

    def right(envs, time):
        return (np.arange(envs.num_envs) + time) % 2

    def seen(envs):
        image = np.zeros((envs.num_envs, 4, 2, 2, 1), np.uint8)
        image[np.arange(envs.num_envs), :, right(envs, envs.time)] = 255
        return image.reshape(-1, 4, 4, 1)

    def pay(envs, actions):
        return (actions == right(envs, envs.time - 1)).astype(float)

    return Simple(Box(0, 255, (4, 4, 1), np.uint8), Discrete(2), seen, pay, 4, 8)


class Convolutional(Policy):
    def __init__(self, envs, seed=0):
        super().__init__(envs)
        keras.utils.set_random_seed(seed)
        self.look = keras.Sequential(
            [
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(4, 2, strides=2, activation="relu"),
                keras.layers.Flatten(),
            ]
        )
        self.actor, self.critic = keras.layers.Dense(2), keras.layers.Dense(1)

    def call(self, observations):
        x = self.look(observations)
        return self.actor(x), self.critic(x)[:, 0]


class SharedTrunk(Policy):
    def __init__(self, envs, seed=0):
        super().__init__(envs)
        keras.utils.set_random_seed(seed)
        self.trunk = keras.layers.Dense(8, "tanh")
        self.actor, self.critic = keras.layers.Dense(2), keras.layers.Dense(1)

    def call(self, observations):
        x = self.trunk(observations)
        return self.actor(x), self.critic(x)[:, 0]


def test_a_convolutional_policy_learns_from_images_and_resumes(tmp_path):
    envs, policy = images(), Convolutional(images())
    settings = {"seed": 0, "rollout_steps": 10, "learning_rate": 0.02, "updates": 12}
    settings |= {"checkpoint": tmp_path / "run.npz", "minibatches": 2}
    history = train(policy, envs, **settings)
    assert (evaluate(policy, envs, seed=0) == 4).all()
    assert np.mean(history.returns[0]) < 3
    image = envs.reset()[0]
    logits = policy(image)[0].numpy()
    noise = policy.distribution.noise(np.random.default_rng(0), (8,))
    np.testing.assert_array_equal(policy.act(image, 0 * noise), logits.argmax(1))
    np.testing.assert_array_equal(policy.act(image, noise), (logits + noise).argmax(1))
    other = Convolutional(images(), seed=5)
    assert train(other, envs, **settings) == history
    assert all(map(np.array_equal, weights_of(policy), weights_of(other)))


def test_a_policy_with_a_shared_trunk_trains_and_resumes(tmp_path):
    path = tmp_path / "run.npz"
    policy = SharedTrunk(students())
    before = [v.numpy() for v in (policy.ready(), policy.variables)[1]]
    first = ran("train", policy=policy, checkpoint=path)
    assert not any(map(np.array_equal, before, first[1]))
    second = ran("train", policy=SharedTrunk(students(), seed=7), checkpoint=path)
    assert same(first, second)
    assert evaluate(policy, students(), episodes=2, seed=0).shape == (4, 2)
    with pytest.raises(ValueError, match="made with policy=SharedTrunk"):
        ran("train", checkpoint=path)


def test_two_policies_of_ones_own_do_not_share_what_was_compiled():
    one, two = SharedTrunk(students()), SharedTrunk(students(), seed=7)
    for policy in (one, two):
        policy.ready()
        seen = np.eye(2, dtype=np.float32)
        np.testing.assert_allclose(judged(policy, seen), policy(seen)[0], rtol=1e-5)


class Narrow(Policy):
    """A deviation is a weight of the policy, whatever its network is."""

    def __init__(self, envs):
        super().__init__(envs)
        self.actor, self.critic = keras.layers.Dense(1), keras.layers.Dense(1)

    def call(self, observations):
        return self.actor(observations), self.critic(observations)[:, 0]


def test_a_policy_of_ones_own_may_choose_real_numbers():
    policy = Narrow(Spaces(Box(-1, 1, (1,), np.float32)))
    policy.ready()
    assert any(v is policy.distribution.log_std for v in policy.trainable_variables)
    seen, noise = observations(3), np.array([[0.0], [1.0], [-2.0]], np.float32)
    mean = policy(seen)[0].numpy()
    np.testing.assert_allclose(policy.act(seen, noise), mean + noise, rtol=1e-5)


def test_unsupported_actions_of_a_policy_of_ones_own_are_named():
    with pytest.raises(ValueError, match="envs: expected Discrete or Box"):
        Narrow(Spaces(gym.spaces.MultiDiscrete([2, 2])))


def test_acting_does_not_change_a_policy():
    policy = plain_policy(students())
    before = weights_of(policy)
    policy.act(np.eye(2), np.zeros((2, 2)))
    assert all(map(np.array_equal, before, weights_of(policy)))
