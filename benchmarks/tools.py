"""Which tools install and run today, and do they agree with us? (about 40 minutes)

    python -m benchmarks.tools                 # all of them, one after the other
    python -m benchmarks.tools --only catsim   # one of them

Each tool gets a fresh virtual environment of its own, its newest release, and a few
lines that use it; the environment is deleted afterwards. Needs a network. PyTorch is
held at this book's version, or each environment would fetch gigabytes of CUDA. Keeps
two files in benchmarks/results/, written anew after each tool; one not tried stays:

tools.csv   tool, what it ``offers``, version and release date of the newest release;
            whether it ``installs`` and ``runs``, and if not ``why`` (the error's last
            line); megabytes of its environment on disk; the day it was tried
peers.npz   the tools' answers, named TOOL.ANSWER, to what ``the_input`` draws, named
            input.NAME: meta-gradients, advantages, losses, probabilities

What a tool is asked to do stands in benchmarks/peers/ask_TOOL.py.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import torch
from packaging.specifiers import SpecifierSet

from benchmarks.results_file import RESULTS, write_table
from refimpl.maml import mlp
from refimpl.tasks import SinusoidTasks

PEERS = Path(__file__).parent / "peers"
OFFERS = {
    "learn2learn": "MAML and relatives, few-shot data",
    "torchopt": "differentiable optimizers",
    "higher": "networks as functions of weights",
    "torchmeta": "few-shot data, modules for MAML",
    "betty-ml": "problems on several levels",
    "stable-baselines3": "PPO and others, to use",
    "sb3-contrib": "recurrent PPO, masked actions",
    "cleanrl": "PPO and others, one file each",
    "spinup": "(a tool for web servers)",
    "tf-agents": "PPO and others, in TensorFlow",
    "torchrl": "parts of PPO and others",
    "rlax": "losses and advantages, in JAX",
    "garage": "PPO, MAML and RL² for policies",
    "tianshou": "PPO and others, in parts",
    "irtorch": "item response models, fitted",
    "girth": "item response models, fitted",
    "py-irt": "item response models, Bayesian",
    "catsim": "adaptive tests",
    "adaptivetesting": "adaptive tests",
    "pyBKT": "knowledge tracing, classical",
    "pykt-toolkit": "knowledge tracing, deep",
    "mabwiser": "bandits, with context",
    "vowpalwabbit": "bandits, with context, at scale",
    "obp": "judging rules from records",
}
# The packages that a tool needs besides itself, for what its script does.
BESIDES = {
    "higher": ["torch", "numpy"],
    "spinup": ["numpy"],
    "tf-agents": ["tf-keras"],
    "vowpalwabbit": ["numpy", "scipy", "pandas"],
}
# What a tool runs with if it does not with the newest; asked then, but still "no".
OLDER = {"pyBKT": ["numpy<2", "scikit-learn<1.5", "pandas<2.3", "scipy<1.14"]}
COLUMNS = [
    "tool", "offers", "version", "released", "installs", "runs", "why", "megabytes",
    "tried",
]  # fmt: skip


def the_input(seed: int = 0) -> dict[str, np.ndarray]:
    """What the tools are asked about: one small problem of each kind."""
    rng = np.random.default_rng(seed)
    batch = SinusoidTasks().sample(5, shots=5, queries=5, rng=rng)
    given = {name: array for name, array in vars(batch).items() if "mask" not in name}
    for name, p in mlp(1, 40, 40, 1, seed=seed).named_parameters():
        given[f"weights.{name}"] = p.detach().numpy()
    T, N = 24, 4
    given["rewards"] = rng.normal(size=(T, N)).astype(np.float32)
    given["values"] = rng.normal(size=(T + 1, N)).astype(np.float32)
    given["terminated"] = rng.random((T, N)) < 0.2
    given["logits"] = rng.normal(size=(64, 3)).astype(np.float32)
    given["actions"] = rng.integers(3, size=64)
    given["old_log_prob"] = np.log(rng.uniform(0.1, 0.7, 64), dtype=np.float32)
    given["advantages"] = rng.normal(size=64).astype(np.float32)
    given["slopes"] = rng.uniform(0.5, 2, 20)
    given["difficulties"] = rng.normal(size=20)
    given["guessing"] = rng.uniform(0, 0.3, 20)
    given["abilities"] = np.linspace(-3, 3, 7)
    given["right"] = rng.integers(2, size=12)
    given["bkt_rates"] = np.array([0.68, 0.125, 0.096, 0.191])  # prior learn guess slip
    return given


def package_index() -> str:
    """The address that pip is set up to ask, or its own default, as its help says."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--help"]
    wide = os.environ | {"COLUMNS": "500"}
    said = subprocess.run(command, env=wide, capture_output=True, text=True).stdout
    return re.search(r"--index-url <url> .*\(default (\S+?)/?\)", said)[1]


def newest_release(tool: str) -> tuple[str, str, str]:
    """Version, the day it came out, and the Pythons that it asks for."""
    url = f"{package_index()}/{tool.lower()}/"
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}
    page = requests.get(url, headers=accept, timeout=60)
    page.raise_for_status()
    files = [f for f in page.json()["files"] if not f.get("yanked")]
    newest = max(files, key=lambda f: f["upload-time"])
    name = newest["filename"].removesuffix(".tar.gz").removesuffix(".zip")
    found = re.match(r"[A-Za-z0-9_.-]+?[-_](\d[^-]*)", name)
    version = found[1] if found else "?"
    return version, newest["upload-time"][:10], newest.get("requires-python") or ""


def run(*command: object, seconds: int = 3600) -> subprocess.CompletedProcess[str]:
    """Run a command; one that takes too long has failed, with all that it started."""
    words = [str(word) for word in command]
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    quiet.pop("PYTHONPATH", None)
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=quiet, start_new_session=True, **both) as child:
        try:
            output, errors = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, errors = "", f"no end after {seconds} s"
    return subprocess.CompletedProcess(words, child.returncode, output, errors)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """The line of an error that says most, without paths of this machine."""
    lines = [x.strip() for x in (done.stderr + done.stdout).splitlines() if x.strip()]
    kinds = (
        r".* depends on torch\b",  # pip could not satisfy this
        r"(\w+\.)*\w*(Error|Exception)\b|.*fatal error:|ERROR: (Could not|No match)",
        "",
    )
    telling = ([x for x in lines if re.match(kind, x)] for kind in kinds)
    line = next((found[-1] for found in telling if found), "?")
    line = line.replace("#", " ")  # which starts a comment in the table
    return re.sub(r"(/[\w.+-]+){2,}", "…", line)[:120]


def try_tool(tool: str, given: Path, out: Path) -> dict[str, object]:
    """One row of the table; the tool's answers, if any, are written to ``out``."""
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"tool": tool, "offers": OFFERS.get(tool, "")}
    row |= {"installs": "no", "runs": "no"}
    row["tried"] = datetime.date.today().isoformat()
    try:
        version, released, pythons = newest_release(tool)
    except (requests.RequestException, LookupError, ValueError) as error:
        return row | {"why": f"{type(error).__name__}: not found on the index"}
    row |= {"version": version, "released": released}
    if not SpecifierSet(pythons).contains(platform.python_version()):
        return row | {"why": f"asks for Python {pythons}"}
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "-m", "venv", folder)
        python = Path(folder, "bin", "python")
        pip = [python, "-m", "pip", "install", "--progress-bar", "off"]
        held = Path(folder, "held.txt")
        held.write_text(f"torch=={torch.__version__.split('+')[0]}\n")
        installed = run(*pip, "-c", held, f"{tool}=={version}", *BESIDES.get(tool, []))
        if installed.returncode:
            if tool == "learn2learn":
                run(*pip, "-c", held, "torch", "numpy")
                ask_source(tool, python, given, out)
            return row | {"why": last_line(installed)}
        files = [f for f in Path(folder, "lib").rglob("*") if f.is_file()]
        row["megabytes"] = round(sum(f.stat().st_size for f in files) / 1e6)
        done = run(python, PEERS / "run.py", tool, given, out, seconds=900)
        why = last_line(done) if done.returncode else ""
        if done.returncode and tool in OLDER:
            run(*pip, *OLDER[tool])
            run(python, PEERS / "run.py", tool, given, out, seconds=900)
    runs = "no" if done.returncode else "yes"
    return row | {"installs": "yes", "runs": runs, "why": why}


def ask_source(tool: str, python: Path, given: Path, out: Path) -> None:
    """Ask a file of a package that does not build, if the file does not need that."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", folder]
        run(*pip, "--no-build-isolation", "--no-binary", ":all:", tool)
        for archive in Path(folder).glob("*.tar.gz"):
            with tarfile.open(archive) as files:
                files.extractall(folder, filter="data")
        for source in Path(folder).glob(f"*/{tool}"):
            run(python, PEERS / "run.py", tool, given, out, source)


def save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    temporary = path.with_suffix(".tmp")
    with open(temporary, "wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def main(only: list[str] | None, out: Path) -> None:
    given = the_input()
    arrays = {f"input.{name}": array for name, array in given.items()}
    rows: dict[str, dict] = {}
    if (out / "tools.csv").exists():
        table = pd.read_csv(out / "tools.csv", comment="#", keep_default_na=False)
        rows = {row["tool"]: row for row in table.to_dict("records")}
        with np.load(out / "peers.npz") as before:
            arrays = {n: before[n] for n in before if n not in arrays} | arrays
    for tool in only or OFFERS:
        with tempfile.TemporaryDirectory() as folder:
            question, answer = Path(folder, "given.npz"), Path(folder, "answer.npz")
            save(question, given)
            rows[tool] = try_tool(tool, question, answer)
            arrays = {n: a for n, a in arrays.items() if n.split(".")[0] != tool}
            if answer.exists():
                with np.load(answer) as found:
                    arrays |= {f"{tool}.{name}": found[name] for name in found}
        print(
            {n: rows[tool][n] for n in ("tool", "version", "installs", "runs", "why")}
        )
        ordered = [rows[name] for name in OFFERS if name in rows]
        table = pd.DataFrame(ordered, columns=COLUMNS)
        write_table(out / "tools.csv", table, "python -m benchmarks.tools", ["torch"])
        save(out / "peers.npz", arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=OFFERS)
    parser.add_argument("--out", type=Path, default=RESULTS)
    main(**vars(parser.parse_args()))
