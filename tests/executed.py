"""Notebooks that ``make book`` has just executed are not executed again for the tests.

Its cache has what each cell put out, as long as nothing that a notebook stands on has
changed; a notebook that failed is not in it. What is not there nbval executes.
"""

import re
from functools import partial

from jupyter_cache import get_cache
from nbval.plugin import IPyNbFile

from tools.drop_stale_cache import BUILD, is_current

# What TensorFlow's C++ says of the machine; nbval's kernels do not pass it on.
LOG = re.compile(r"^(WARNING: All log messages before absl|[IWE]\d{4} ).*\n", re.M)


class Executed:
    """In place of nbval's kernel: each cell puts out what it did, and nothing runs."""

    def __init__(self, cells):
        self.cells = iter(cells)

    def is_alive(self):
        return True

    def stop(self):
        pass

    def execute_cell_input(self, source, allow_stdin):
        cell = next(cell for cell in self.cells if cell.source == source)
        for output in cell.outputs:
            if output.get("name") == "stderr":
                output.text = LOG.sub("", output.text)
        said = [output for output in cell.outputs if output.get("text") != ""]
        messages = [(output.output_type, output) for output in said]
        self.messages = iter([*messages, ("status", {"execution_state": "idle"})])
        return source

    def await_reply(self, source, timeout):
        self.parent = {"msg_id": source}

    def get_message(self, stream, timeout):
        kind, content = next(self.messages)
        return {"msg_type": kind, "content": content, "parent_header": self.parent}


def spare_executed(items):
    """Let those notebooks of ``items`` that are in the cache not run again."""
    notebooks = {item.parent for item in items if isinstance(item.parent, IPyNbFile)}
    if not notebooks or not is_current(".jupyter_cache"):
        return
    cache = get_cache(BUILD / ".jupyter_cache")
    for notebook in notebooks:
        try:
            record = cache.match_cache_notebook(notebook.nb)
        except KeyError:
            continue
        kernel = Executed(cache.get_cache_bundle(record.pk).nb.cells)
        notebook.setup = partial(setattr, notebook, "kernel", kernel)
