"""No shell reads what healmon runs: argument vectors only, and no text is put together for one."""

from __future__ import annotations

import ast

from tests.architecture.test_rules import ROOT, SOURCES, imports

SHELLS = {"sh", "bash", "dash", "zsh", "/bin/sh", "/bin/bash", "/usr/bin/env"}
FORBIDDEN = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "eval", "exec",
    "asyncio.create_subprocess_shell", "pickle.loads", "pickle.load", "marshal.loads",
    "yaml.load", "shelve.open", "tempfile.mktemp",
}  # fmt: skip
NAMES = {str(path.relative_to(ROOT)): path for path in SOURCES}


def vectors(tree: ast.AST) -> list[list[str]]:
    """The texts in every list and tuple of a module; what is no literal is left out."""
    return [
        [str(item.value) for item in node.elts if isinstance(item, ast.Constant)]
        for node in ast.walk(tree)
        if isinstance(node, ast.List | ast.Tuple)
    ]  # fmt: skip


def test_no_shell_and_nothing_that_runs_data() -> None:
    for name, path in NAMES.items():
        tree = ast.parse(path.read_text())
        called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        assert not called & FORBIDDEN, name
        keywords = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        assert "shell" not in keywords, name
        for words in vectors(tree):
            assert not (set(words) & SHELLS and "-c" in words), (name, words)


def test_the_screen_starts_nothing() -> None:
    tui = [path for name, path in NAMES.items() if name.startswith("tui/")]
    assert tui
    for path in tui:
        assert not imports(path) & {"subprocess", "pty", "ctypes"}, path


def test_programs_that_are_code_of_ours_are_constants() -> None:
    """`python -c TEXT` is used for TEXT that stands in the source, and only there."""
    found: set[str] = set()
    for name, path in NAMES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.List | ast.Tuple):
                continue
            words = [ast.unparse(item) for item in node.elts]
            if "'-c'" in words and "sys.executable" in words[:1]:
                code = node.elts[words.index("'-c'") + 1]
                assert isinstance(code, ast.Name) and code.id.isupper(), (name, words)  # noqa: PT018
                found.add(path.name)
    assert found == {"mending.py", "depotline.py"}


def test_no_module_of_ours_is_looked_for_where_somebody_happens_to_be() -> None:
    """`python -m` and `-c` begin with the current directory, where others may have put modules."""
    found: set[str] = set()
    for name, path in NAMES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.List | ast.Tuple):
                continue
            words = [ast.unparse(item) for item in node.elts]
            ours = next((at for at, word in enumerate(words) if word in ("'-m'", "'-c'")), 0)
            if words[:1] == ["sys.executable"] and ours:
                assert {"'-P'", "'-I'"} & set(words[:ours]), (name, words)
                found.add(path.name)
    assert found >= {"sides.py", "program.py", "commandline.py", "foreground.py"}
