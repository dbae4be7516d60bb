"""Change the core's code, one place at a time: do its tests notice?

    make mutants

cosmic-ray makes the mutants; each lives in a process of its own, a copy of this one
that has imported the libraries already, and no file is ever changed. A mutant is
killed if a test fails, if it cannot be imported, or if it runs for a minute. Those
that survive are printed, and the run fails if ``EQUIVALENT`` does not explain one.
Not on Windows, which cannot copy a process.
"""

import difflib
import importlib.abc
import importlib.util
import itertools
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from tqdm import tqdm

ROOT = Path(__file__).parent.parent
# What is imported once: all that takes long, and nothing of ours.
LIBRARIES = ("torch", "torch.func", "tensorflow", "gymnasium", "hypothesis.strategies")
OPTIONS = ["-x", "-p", "no:cacheprovider"]
OPTIONS += ["-p", "_hypothesis_pytestplugin", "--hypothesis-profile=same"]
# Each module and the tests that should hold it, the quickest first.
MAML = [
    "tests/maml/test_adapt.py",
    "tests/maml/test_outer.py",
    "tests/maml/test_variants.py::test_batch_normalization_is_refused",
    "tests/maml/test_variants.py::test_trained_batch_statistics_are_constants_and_stay",
    "tests/maml/test_gradients.py",
    "tests/maml/test_rules.py",
    "tests/maml/test_refused.py",
]
TESTS = {
    "refimpl.maml.inner": MAML,
    "refimpl.maml.outer": MAML,
    "refimpl.maml.evaluation": [
        *MAML,
        "tests/maml/test_breaks.py::test_a_metric_of_pytorchs_and_a_model_without_gradient_are_refused",
    ],
    "refimpl.maml.over_tasks": [
        "tests/maml/test_over_tasks.py",
        *MAML,
        "tests/maml/test_layers.py::test_what_vmap_cannot_take_says_so_and_a_plain_loop_can",
    ],
    "refimpl.ppo.advantages": ["tests/ppo/test_advantages.py"],
    "refimpl.ppo.objectives": [
        "tests/ppo/test_objectives.py",
        "tests/ppo/test_training.py::test_inside_an_update",
    ],
}
# Operators that make no sense here. Arrays of numbers know no bits, and sets and
# dicts no arithmetic, so those mutants fail by type; % and // of real numbers, and
# `is` between numbers, are no slips that a person would make.
EXCLUDED = re.compile(
    r"ReplaceBinaryOperator_(\w+_(FloorDiv|Mod|RShift|LShift)"
    r"|(Add|Sub|Mul|Div)_Bit\w+|Bit\w+_(Add|Sub|Mul|Div|Pow))"
    r"|ReplaceComparisonOperator_(Eq|NotEq|Lt|Gt)_Is(Not)?"
)
# Survivors that no test can kill: the changed line, and why it changes nothing.
EQUIVALENT = {
    "+ if empty := (query_mask.sum(dim=1) <= 0).nonzero().flatten().tolist():": (
        "a mask holds nothing below 0"
    ),
    "+ start = torch.as_tensor(_array(forward(model, params, query_x[ -1])))": (
        "one task serves as well as another"
    ),
    "+ each(judged, [start[None, None], target[:1], mask[:1]], 0, vectorize)": (
        "one task and one step: either axis is the same"
    ),
    "+ x, y, mask = (t[ -1] for t in as_tensors(batch, params)[:3])": (
        "one task serves as well as another"
    ),
    "+ for row in zip(*tensors, strict=False):": (
        "the arrays of a batch have as many rows each"
    ),
    "+ rows = [function(*row) for row in zip(*tensors, strict=False)]": (
        "the arrays of a batch have as many rows each"
    ),
    "+ if isinstance(arrays[ 1], np.ndarray):": "the arrays are all of one kind",
    "+ if isinstance(arrays[ -1], np.ndarray):": "the arrays are all of one kind",
    "+ if not all(shapes[ 1].is_compatible_with(shape) for shape in shapes):": (
        "known shapes are compatible if equal: each may stand for all"
    ),
    "+ if not all(shapes[ -1].is_compatible_with(shape) for shape in shapes):": (
        "known shapes are compatible if equal: each may stand for all"
    ),
    "+ advantages, following = np.zeros_like(deltas), np.zeros_like(deltas[ -1])": (
        "the last row has the shape and type of the first"
    ),
}


def mutants(code: str) -> Iterator[tuple[str, str]]:
    """Every mutant of a module's code, with the operator that made it."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.operators.provider import OperatorProvider

    provider = OperatorProvider()
    for name in provider:
        operator = provider[name]
        if operator.arguments() or EXCLUDED.fullmatch(name):
            continue
        for occurrence in itertools.count():
            if (mutant := mutate_code(code, operator(), occurrence)) is None:
                break
            yield name, mutant


class Mutant(importlib.abc.ExecutionLoader):
    """Imports ``code`` in place of the module ``name``."""

    def __init__(self, name: str, code: str) -> None:
        self.name, self.code = name, code

    def find_spec(self, name, path=None, target=None):
        if name == self.name:
            return importlib.util.spec_from_loader(name, self)

    def get_filename(self, fullname):
        # No such file, so that TensorFlow, which translates functions from their
        # source, asks here for it.
        return str(ROOT / f"{self.name}.mutant.py")

    def get_source(self, fullname):
        return self.code


def outcome(module: str, code: str, seconds: int = 60) -> str:
    """What the tests say of a module with this code in its place."""
    if (child := os.fork()) == 0:
        signal.alarm(seconds)
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        sys.meta_path.insert(0, Mutant(module, code))
        hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
        status = 3  # pytest's own number for an error inside it
        try:
            status = pytest.main([*OPTIONS, *TESTS[module]])
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # 1: a test failed; 2, 4: the module could not be imported.
    said = {0: "survived", -signal.SIGALRM: "out of time"}
    return "killed" if status in (1, 2, 4) else said.get(status, f"ended by {status}")


def difference(before: str, after: str) -> str:
    """The lines that a mutant changes."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)
    changed = [line for line in [*lines][2:] if line[0] in "-+"]  # two lines of names
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed)


def main(modules: list[str]) -> None:
    os.chdir(ROOT)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take long to load
    for library in LIBRARIES:
        importlib.import_module(library)
    unexplained = 0
    for module in modules or TESTS:
        code = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
        if (said := outcome(module, code, 300)) != "survived":
            sys.exit(f"{module} as it is: {said}")
        counts: Counter[str] = Counter()
        for name, mutant in tqdm([*mutants(code)], module):
            said = outcome(module, mutant)
            counts[said] += 1
            if said == "survived":
                change = difference(code, mutant)
                reason = EQUIVALENT.get(change.splitlines()[-1])
                unexplained += reason is None
                print(f"{name}\n{change}\n  {reason or 'NOT EXPLAINED'}", flush=True)
        print(f"{module}: {counts.total()} mutants, {dict(counts)}", flush=True)
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
