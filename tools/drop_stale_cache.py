"""Drop what Jupyter Book has cached if anything that it stands on changed.

Its cache of executed notebooks looks at a notebook's own code cells only. The
chapters also depend on refimpl, on the installed versions, on the committed results
and on an example. The pages, too, depend on more than their sources: on our
extensions and style sheets, and on the headings of all other pages, for
sphinx-codeautolink keeps its links from the API pages to a heading that is gone. So
the contents are hashed here and compared with the last build's.
"""

import hashlib
import platform
import re
import shutil
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
CODE = (
    "refimpl/**/*.py",
    "*requirements.txt",
    "constraints.txt",
    "benchmarks/results/*",
    "examples/*.csv",
)
PAGES = (*CODE, "book/_ext/*.py", "book/_static/*")
CHAPTERS = ("book/**/*.md", "notebooks/*.ipynb")
HEADING = re.compile(rb'^\s*"?(##+ .*)', re.MULTILINE)


INPUTS = {".jupyter_cache": (CODE,), ".doctrees": (PAGES, CHAPTERS)}


def inputs_hash(whole: tuple[str, ...], headings: tuple[str, ...] = ()) -> str:
    """Hash of what is installed, of ``whole`` files, and of ``headings`` of others."""
    installed = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    versions = [platform.python_version(), *sorted(path.name for path in installed)]
    digest = hashlib.sha256("\n".join(versions).encode())
    for pattern in (*whole, *headings):
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
            content = path.read_bytes()
            if pattern in headings:
                content = b"\n".join(HEADING.findall(content))
            digest.update(content)
    return digest.hexdigest()


def stamp(cache: str) -> Path:
    """Where the hash of the cache's inputs is kept."""
    return BUILD / f"inputs{cache.replace('.', '_')}.sha256"


def is_current(cache: str) -> bool:
    """Whether the cache, if it is there, is of what is there now."""
    path = stamp(cache)
    return path.exists() and path.read_text() == inputs_hash(*INPUTS[cache])


def main() -> None:
    for cache, inputs in INPUTS.items():
        if not is_current(cache):
            shutil.rmtree(BUILD / cache, ignore_errors=True)
            BUILD.mkdir(exist_ok=True)
            stamp(cache).write_text(inputs_hash(*inputs))


if __name__ == "__main__":
    main()
