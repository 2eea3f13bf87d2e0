"""No shell reads what healmon runs: argument vectors only, and no text is put together for one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.helpers.sources import SOURCES, imports, mentioning, module, named

SHELLS = {"sh", "bash", "dash", "zsh", "/bin/sh", "/bin/bash", "/usr/bin/env"}
FORBIDDEN = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec",
    "asyncio.create_subprocess_shell", "pickle.loads", "pickle.load", "marshal.loads",
    "yaml.load", "shelve.open", "tempfile.mktemp",
}  # fmt: skip
NAMES = {named(path): path for path in SOURCES}


def spelled(vector: ast.List | ast.Tuple) -> list[str]:
    """The texts in a list or tuple; what is no literal is left out."""
    return [str(item.value) for item in vector.elts if isinstance(item, ast.Constant)]


def of_python() -> Iterator[tuple[str, ast.List | ast.Tuple, list[str]]]:
    """Every argument vector that begins with this Python: module, vector, its words as written."""
    for path in mentioning(SOURCES, {"sys.executable"}):
        name = named(path)
        for vector in module(path).vectors:
            if vector.elts and ast.unparse(vector.elts[0]) == "sys.executable":
                yield name, vector, [ast.unparse(item) for item in vector.elts]


def test_no_shell_and_nothing_that_runs_data() -> None:
    signs = {f"{name.rpartition('.')[2]}(" for name in FORBIDDEN} | {"shell", "-c"}
    for path in mentioning(SOURCES, signs):
        name, found = named(path), module(path)
        assert not found.calls & FORBIDDEN, name
        assert "shell" not in found.keywords, name
        for words in map(spelled, found.vectors):
            assert not (set(words) & SHELLS and "-c" in words), (name, words)


def test_the_screen_starts_nothing() -> None:
    tui = [path for name, path in NAMES.items() if name.startswith("tui/")]
    assert tui
    for path in tui:
        assert not imports(path) & {"subprocess", "pty", "ctypes"}, path


def test_programs_that_are_code_of_ours_are_constants() -> None:
    """`python -c TEXT` is used for TEXT that stands in the source, and only there."""
    found: set[str] = set()
    for name, vector, words in of_python():
        if "'-c'" in words:
            code = vector.elts[words.index("'-c'") + 1]
            assert isinstance(code, ast.Name) and code.id.isupper(), (name, words)  # noqa: PT018
            found.add(NAMES[name].name)
    assert found == {"mending.py", "depotline.py"}


def test_no_module_of_ours_is_looked_for_where_somebody_happens_to_be() -> None:
    """`python -m` and `-c` begin with the current directory, where others may have put modules."""
    found: set[str] = set()
    for name, _, words in of_python():
        ours = next((at for at, word in enumerate(words) if word in ("'-m'", "'-c'")), 0)
        if ours:
            assert {"'-P'", "'-I'"} & set(words[:ours]), (name, words)
            found.add(NAMES[name].name)
    assert found >= {"sides.py", "program.py", "commandline.py", "foreground.py"}
