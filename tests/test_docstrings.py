"""The API pages tell all: what each argument is, which shape, what is raised."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOOKS = {"forward", "call"}  # the class says what these take and return
EVERYWHERE = {"self", "rng", "seed", "path"}  # told once, on the reference's first page
GYMNASIUM = {"reset", "step"}  # its own signatures; the class says what they mean here
ARRAY = re.compile(r"\b(np\.ndarray|Tensor|Array)\b")
ERRORS = {"ValueError", "TypeError", "RuntimeError", "FloatingPointError"}


def read(source):
    """Each function, class and method of a module: name, node, and what is told of it.

    A method is told of by its module and its class, too; a field by its ``#:``.
    """
    module = ast.parse(source)
    lines = ["", *source.splitlines()]

    def told(node):
        own = ast.get_docstring(node) or ""
        for field in node.body if isinstance(node, ast.ClassDef) else ():
            before, here = (lines[field.lineno - i] for i in (1, 0))
            if before.strip().startswith("#: ") or "  #: " in here:
                own += f"\n``{ast.unparse(field.target)}`` {before} {here}"
        return own

    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = f"{told(module)}\n{told(node)}\n"
            yield node.name, node, text
            for part in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(part, ast.FunctionDef):
                    yield f"{node.name}.{part.name}", part, text + told(part)


def raised(function):
    """The errors that a function's own lines raise."""
    thrown = [n.exc for n in ast.walk(function) if isinstance(n, ast.Raise) and n.exc]
    return {getattr(e.func, "id", "") for e in thrown if hasattr(e, "func")} & ERRORS


def gaps(name, node, text, texts, checks):
    """What the text of a public name does not say."""
    own_text = ast.get_docstring(node)
    if not own_text and node.name not in HOOKS | {"__init__", "__call__"}:
        yield "a docstring"
    for other in re.findall(r"(?i)\bas(?:\s+for)?\s+(?::\w+:)?`+[\w.]*?(\w+)`", text):
        own = f"{name.split('.')[0]}.{other}"  # "as for :meth:`sample`"
        text += texts.get(own, texts.get(other, ""))
    if isinstance(node, ast.ClassDef):
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        given = {part.target.id: ast.unparse(part.annotation) for part in fields}
    else:
        every = [*node.args.args, *node.args.kwonlyargs, node.args.kwarg]
        given = {a.arg: ast.unparse(a.annotation or ast.Name("?")) for a in every if a}
        called = [n.func for n in ast.walk(node) if isinstance(n, ast.Call)]
        helpers = {getattr(f, "id", getattr(f, "attr", "")) for f in called}
        errors = raised(node).union(*(checks.get(helper, ()) for helper in helpers))
        if errors and not any(error in text for error in errors):
            yield f"that it raises {errors}"
    returned = ast.unparse(node.returns) if getattr(node, "returns", None) else ""
    if ARRAY.search(" ".join([*given.values(), returned])) and "[" not in text:
        yield "a shape"
    names = re.findall(r"(?m)^( *)([*\w]+(?:, [*\w]+)*)(?: : .*$|\n\1 +\S)", text)
    quoted = re.findall(r"``(.+?)``", text)
    parts = [*quoted, *(listed for _, listed in names)]
    words = {word for part in parts for word in re.findall(r"\w+", part)}
    if node.name not in HOOKS | GYMNASIUM:
        yield from (f"what {a} is" for a in given.keys() - EVERYWHERE - words)


def untold(*sources):
    """The public names that do not tell all, and how many there are in all."""
    found = [entry for source in sources for entry in read(source)]
    texts = {name: text for name, _, text in found}
    # Checks without a page of their own: who calls them raises what they raise.
    functions = [node for _, node, _ in found if isinstance(node, ast.FunctionDef)]
    private = [f for f in functions if f.name.startswith(("_", "check_"))]
    checks = {f.name: raised(f) for f in private if not f.name.startswith("__")}
    public = [e for e in found if not re.search(r"(^|\.)_(?!_(init|call)__)", e[0])]
    missing = {e[0]: sorted(gaps(*e, texts, checks)) for e in public}
    return {name: gap for name, gap in missing.items() if gap}, len(public)


def test_every_public_name_tells_all():
    sources = [p.read_text(encoding="utf-8") for p in (ROOT / "refimpl").rglob("*.py")]
    missing, public = untold(*sources)
    assert not missing
    assert public > 250
    first_page = (ROOT / "book" / "api" / "index.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in first_page for name in EVERYWHERE - {"self"})


def test_a_long_module_says_why():
    for path in (ROOT / "refimpl").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if len(source.splitlines()) > 150:
            assert "long module" in ast.get_docstring(ast.parse(source)), path


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x): pass", ["a docstring", "what x is"]),
        ('def f(x: int):\n "Of x, which is not quoted."', ["what x is"]),
        ('def f(x: int):\n "Of ``x``."\n raise ValueError(x)', ["that it raises {'Va"]),
        ('def f(x):\n """Of\n\n x\n """', ["what x is"]),
        ('def f(x: np.ndarray):\n "Of ``x``."', ["a shape"]),
        ('def f() -> Tensor:\n "A tensor."', ["a shape"]),
        (
            'class f:\n "A pair."\n x: int  # a comment that no page shows',
            ["what x is"],
        ),
        ('def f(x):\n "As for :func:`g`."\ndef g(y):\n "Of ``y``."', ["what x is"]),
        (
            'def f():\n "Hm."\n _g()\ndef _g():\n raise TypeError("")',
            ["that it raises"],
        ),
        ('def f(x):\n "As for :func:`g`."\ndef g(x):\n "Of ``x``."', []),
        ('class f:\n "A pair."\n x: int  #: a comment that the page shows', []),
        ('def f(x):\n """Of\n\n x : [N]\n  What.\n """', []),
    ],
)
def test_a_gap_is_found(source, expected):
    found = untold(source)[0].get("f", [])
    assert len(found) == len(expected)
    assert all(
        gap.startswith(start) for gap, start in zip(found, expected, strict=True)
    )
