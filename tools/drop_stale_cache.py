"""Drop what Jupyter Book has cached if anything that it stands on changed.

Its cache of executed notebooks looks at a notebook's own code cells only. The
chapters also depend on refimpl, on the installed versions and on the committed
results. The pages, too, depend on more than their sources: on our extensions and
style sheets, and on the headings of all other pages, for sphinx-codeautolink keeps its
links from the API pages to a heading that is gone. So the contents are hashed here
and compared with the last build's.
"""

import hashlib
import platform
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "_build"
CODE = (
    "refimpl/**/*.py",
    "*requirements.txt",
    "constraints.txt",
    "benchmarks/results/*",
)
PAGES = (*CODE, "book/_ext/*.py", "book/_static/*")
CHAPTERS = ("book/**/*.md", "notebooks/*.ipynb")
HEADING = re.compile(rb'^\s*"?(##+ .*)', re.MULTILINE)


def inputs_hash(whole: tuple[str, ...], headings: tuple[str, ...] = ()) -> str:
    """Hash of the files that match ``whole``, and of the ``headings`` of others."""
    digest = hashlib.sha256(platform.python_version().encode())
    for pattern in (*whole, *headings):
        for path in sorted(ROOT.glob(pattern)):
            digest.update(f"{path.relative_to(ROOT).as_posix()}\n".encode())
            content = path.read_bytes()
            if pattern in headings:
                content = b"\n".join(HEADING.findall(content))
            digest.update(content)
    return digest.hexdigest()


def main() -> None:
    for cache, current in (
        (".jupyter_cache", inputs_hash(CODE)),
        (".doctrees", inputs_hash(PAGES, CHAPTERS)),
    ):
        stamp = BUILD / f"inputs{cache.replace('.', '_')}.sha256"
        if stamp.exists() and stamp.read_text() == current:
            continue
        shutil.rmtree(BUILD / cache, ignore_errors=True)
        BUILD.mkdir(exist_ok=True)
        stamp.write_text(current)


if __name__ == "__main__":
    main()
