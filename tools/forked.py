"""Processes that have imported the frameworks already, which takes some seconds each.

They are forked from a process that has done nothing else, so that nothing of a test,
or of another such process, is left in them.
"""

import os
import runpy
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

ROOT = Path(__file__).parent.parent
FRAMEWORKS = ["torch", "tensorflow", "matplotlib.pyplot", "pandas", "sklearn"]


def processes(count=1):
    """A pool of ``count``; each call gets a process of its own."""
    fork = "forkserver" in get_all_start_methods()  # Windows has none
    context = get_context("forkserver" if fork else "spawn")
    context.set_forkserver_preload(FRAMEWORKS)
    return ProcessPoolExecutor(count, context, max_tasks_per_child=1)


def run_module(name, *arguments):
    """What ``python -m name arguments`` does in the repository."""
    with processes() as pool:
        pool.submit(_run, name, [str(argument) for argument in arguments]).result()


def _run(name, arguments):
    os.chdir(ROOT)
    sys.argv = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
