"""Do what Binder would do, without Docker, and see whether the book runs there.

A fresh virtual environment gets what Binder's image brings (BASE), then what
.binder/requirements.txt names, without constraints.txt, as there. With it, a clean
clone of the last commit runs .binder/postBuild, opens JupyterLab, and executes every
notebook. Binder ends a session that needs more than 2 GB: JupyterLab and one kernel,
with all it started, must stay below.

Needs git, the Python of .binder/runtime.txt, the package index, some 4 GB of disk
($TMPDIR says where) and a quarter of an hour. --pypi-only leaves PyTorch's own index
out: for where it cannot be reached, which pip finds out anew for every package.
(PyPI's own torch for Linux then brings CUDA.)
"""

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil  # comes with ipykernel

from benchmarks.classroom import resident, watch

ROOT = Path(__file__).parent.parent
LIMIT = 2000  # MB
# repo2docker's versions, not ours: Binder has them first. A test compares.
BASE = ("jupyterlab==4.4.9", "notebook==7.4.7", "nbclient==0.10.2", "ipykernel==7.0.1")
results: list[bool] = []


def report(passed: bool, what: str, why: str = "") -> bool:
    """Print the line of a check and, if it failed, the end of what was said."""
    print("ok    " if passed else "FAILED", what, flush=True)
    if not passed:
        print(why[-2000:], flush=True)
    results.append(passed)
    return passed


def run(*command, folder: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Whether a command succeeded, and all that it said."""
    kept = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    try:
        done = subprocess.run(command, cwd=folder, env=env, **kept)
    except FileNotFoundError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout


def environment(venv: Path) -> dict[str, str]:
    """Ours, without what make or another environment set; venv's programs first."""
    theirs = ("MAKE", "OMP_", "TF_", "PYTHON", "JUPYTER", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(theirs)}
    return kept | {"PATH": f"{venv / 'bin'}{os.pathsep}{kept['PATH']}"}


def install(book: Path, venv: Path, pypi_only: bool) -> bool:
    """What Binder installs, in its order, and whether all of it went well."""
    wanted = (book / ".binder" / "runtime.txt").read_text().strip().replace("-", "")
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    python = sys.executable if ours == wanted else wanted
    requirements = book / ".binder" / "requirements.txt"
    if pypi_only:
        lines = requirements.read_text().splitlines()
        requirements = venv.with_suffix(".txt")
        requirements.write_text("\n".join(x for x in lines if x[:2] != "--") + "\n")
    for what, *command in (
        (f"venv of {wanted}", python, "-m", "venv", venv),
        ("Binder's Jupyter", "pip", "install", "--quiet", *BASE),
        (".binder/requirements.txt", "pip", "install", "--quiet", "-r", requirements),
        ("pip check", "pip", "check"),
        (".binder/postBuild", book / ".binder" / "postBuild"),
    ):
        start = time.monotonic()
        passed, said = run(*command, folder=book, env=environment(venv))
        line = f"{what:24}{time.monotonic() - start:6.0f} s"
        if not report(passed, line, said):
            return False
    return True


def check_lab(book: Path, env: dict[str, str]) -> float:
    """JupyterLab's page loads jupyterlab-myst; the memory that the server takes."""
    _, said = run("jupyter", "labextension", "list", folder=book, env=env)
    found = re.search(r"jupyterlab-myst v\S+ .*enabled.*OK", said)
    report(found is not None, "jupyterlab-myst is enabled and fits JupyterLab", said)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ("--no-browser", "--allow-root", "--IdentityProvider.token=")
    command = ["jupyter-lab", *options, f"--ServerApp.port={port}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server, page = psutil.Popen(command, cwd=book, env=env, **quiet), ""
    try:
        for _ in range(60):
            with suppress(OSError):  # not yet
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/lab") as answer:
                    page = answer.read().decode()
                break
            time.sleep(1)
        used = resident([server, *server.children(recursive=True)]) / 1e6
        line = f"{'jupyter lab loads it':32}{used:6.0f} MB"
        report('"jupyterlab-myst"' in page, line, page or "no answer")
        return used
    finally:
        server.terminate()
        server.wait()


def execute(notebook: Path, env: dict[str, str], beside: float) -> None:
    """One notebook, watched: its time, and the peak of its kernel's memory."""
    command = ["jupyter-execute", "--timeout=3600", notebook.name]
    with tempfile.TemporaryFile("w+") as log:
        streams = {"stdout": log, "stderr": subprocess.STDOUT}
        process = psutil.Popen(command, cwd=notebook.parent, env=env, **streams)
        found = watch(process)
        log.seek(0)
        said = log.read()
    peak = found["megabytes"]
    line = f"{notebook.stem:24}{found['seconds']:6.0f} s{peak:6.0f} MB"
    if peak + beside >= LIMIT:
        said = f"With JupyterLab's {beside:.0f} MB that is too much."
    report(process.returncode == 0 and peak + beside < LIMIT, line, said)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pypi-only", action="store_true", help="no extra index")
    pypi_only = parser.parse_args().pypi_only
    with tempfile.TemporaryDirectory() as name:
        book, venv = Path(name, "book"), Path(name, "venv")
        subprocess.run(["git", "clone", "--quiet", ROOT, book], check=True)
        if install(book, venv, pypi_only):
            env = environment(venv) | {"HOME": name}  # where nothing is cached
            beside = check_lab(book, env)
            for notebook in sorted((book / "notebooks").glob("*.ipynb")):
                execute(notebook, env, beside)
    print(f"{sum(results)} of {len(results)} passed; the limit is {LIMIT} MB")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
