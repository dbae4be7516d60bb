"""What is said while the book is built: a line for each notebook as it finishes.

At the end stands how many were executed, how many came from the cache, and the time.
What TensorFlow says of missing graphics processors when the API pages import it is
dropped; what the notebooks' kernels say on their own goes to _build/kernels.log.
"""

import functools
import logging
import os
import re
import sys
import time
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.provisioning import local_provisioner
from tqdm import tqdm


@contextmanager
def without_stderr():
    """Nothing is said on the process's own stream of errors, also not by C++."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


class Progress(logging.Handler):
    """Hears what myst-nb tells Sphinx's log of each notebook."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.started, self.done, self.executed = time.monotonic(), 0, 0

    def begin(self, app, env, docnames) -> None:
        """Count the notebooks that will be read; a bar of them on a terminal."""
        if any(name.startswith("book/api/") for name in docnames):
            with without_stderr():
                import tensorflow  # noqa: F401, so that it has said what it says
        notebooks = [n for n in docnames if Path(env.doc2path(n)).suffix == ".ipynb"]
        self.total = len(notebooks)
        hidden = not (sys.stdout.isatty() and notebooks)
        self.bar = tqdm(total=self.total, desc="notebooks", disable=hidden)

    def read(self, app, docname, source) -> None:
        self.docname = docname

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        executed = re.search(r"Executed notebook in ([\d.]+) seconds", text)
        if not executed and "Using cached notebook" not in text:
            return
        self.done, self.executed = self.done + 1, self.executed + bool(executed)
        took = f"{float(executed[1]):.0f} s" if executed else "from the cache"
        name = Path(self.docname).name
        tqdm.write(f"{self.done:2} of {self.total}  {name:24} {took}", sys.stdout)
        sys.stdout.flush()
        self.bar.update()

    def end(self, app, exception) -> None:
        self.bar.close()
        if self.total:
            seconds = time.monotonic() - self.started
            cached = self.done - self.executed
            print(
                f"{self.executed} notebooks executed, {cached} from the cache; "
                f"the book took {seconds / 60:.0f} min {seconds % 60:.0f} s"
            )


def setup(app) -> dict[str, bool]:
    progress, launch = Progress(), local_provisioner.launch_kernel
    log = open(Path(app.outdir).parent / "kernels.log", "w")  # noqa: SIM115, until the end
    local_provisioner.launch_kernel = functools.partial(launch, stderr=log)
    logging.getLogger("sphinx").addHandler(progress)
    app.connect("env-before-read-docs", progress.begin)
    app.connect("source-read", progress.read)
    app.connect("build-finished", progress.end)
    return {"parallel_read_safe": False}
