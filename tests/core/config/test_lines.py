import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healmon.config.lines import key_lines
from healmon.config.toml import key_text, literal
from tests.helpers.examples import examples

DOCUMENT = '''\
# a comment with = and [brackets]
title = "a # b" # trailing
"quoted key".'and.this' = 1

[monitor]
check_interval = "60s"
a . b = [1979-05-27 07:32:00, 2]

[workers.one]   # comment
command = [
  "a]b",        # comment with " and ]
  'c',
  # comment
  ["nested", """multi
line ] " with quotes"""],
]
text = """
two""\\"
lines""""
raw = \'\'\'
''x
\'\'\'\'\'
ready = { log = "x, } y", inner = { deep.er = [
  1] } }
after_the_long_ones = true

[[disk.rules]]
name = "first"
[disk.rules.sub]
key = 1
[[disk.rules]]
name = "second"
[[disk.rules.inner]]
x = 1
[[disk.rules.inner]]
x = 2
[disk]
warning = 85
[ "worker s" . "x\\u0041" ]
last = 1'''

EXPECTED = {
    ("title",): 2,
    ("quoted key",): 3,
    ("quoted key", "and.this"): 3,
    ("monitor",): 5,
    ("monitor", "check_interval"): 6,
    ("monitor", "a"): 7,
    ("monitor", "a", "b"): 7,
    ("monitor", "a", "b", 0): 7,
    ("monitor", "a", "b", 1): 7,
    ("workers",): 9,
    ("workers", "one"): 9,
    ("workers", "one", "command"): 10,
    ("workers", "one", "command", 0): 11,
    ("workers", "one", "command", 1): 12,
    ("workers", "one", "command", 2): 14,
    ("workers", "one", "command", 2, 0): 14,
    ("workers", "one", "command", 2, 1): 14,
    ("workers", "one", "text"): 17,
    ("workers", "one", "raw"): 20,
    ("workers", "one", "ready"): 23,
    ("workers", "one", "ready", "log"): 23,
    ("workers", "one", "ready", "inner"): 23,
    ("workers", "one", "ready", "inner", "deep"): 23,
    ("workers", "one", "ready", "inner", "deep", "er"): 23,
    ("workers", "one", "ready", "inner", "deep", "er", 0): 24,
    ("workers", "one", "after_the_long_ones"): 25,
    ("disk",): 27,
    ("disk", "rules"): 27,
    ("disk", "rules", 0): 27,
    ("disk", "rules", 0, "name"): 28,
    ("disk", "rules", 0, "sub"): 29,
    ("disk", "rules", 0, "sub", "key"): 30,
    ("disk", "rules", 1): 31,
    ("disk", "rules", 1, "name"): 32,
    ("disk", "rules", 1, "inner"): 33,
    ("disk", "rules", 1, "inner", 0): 33,
    ("disk", "rules", 1, "inner", 0, "x"): 34,
    ("disk", "rules", 1, "inner", 1): 35,
    ("disk", "rules", 1, "inner", 1, "x"): 36,
    ("disk", "warning"): 38,
    ("worker s",): 39,
    ("worker s", "xA"): 39,
    ("worker s", "xA", "last"): 40,
}


def paths_of(value, path=()):
    """Return every path that a parsed document has."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in pairs:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from paths_of(item, (*path, key))


def test_every_way_to_write_a_key_has_its_line():
    assert key_lines(DOCUMENT) == EXPECTED
    assert set(EXPECTED) == set(paths_of(tomllib.loads(DOCUMENT)))


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment", "   ", "a=1"])
def test_small_documents(text):
    assert key_lines(text) == ({("a",): 1} if text == "a=1" else {})


names = st.sampled_from(["a", "b", "c-d", "e f", "g.h", '"', "ü", "\\", "#", "]"])
scalars = (
    st.integers()
    | st.booleans()
    | st.floats(allow_nan=False)
    | st.text(alphabet=" ab\"'#[]{},=.\\\nü\x1b", max_size=12)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


class Writer:
    """Writes a document in styles that hypothesis chooses, and keeps where each key went."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.lines = {}

    def one_of(self, *options):
        return self.draw(st.sampled_from(options))

    def note(self, path):
        self.lines.setdefault(path, self.text.count("\n") + 1)

    def table(self, table, path=()):
        with_header = []
        for name, value in table.items():
            tables = isinstance(value, list) and value and all(isinstance(v, dict) for v in value)
            if (tables or isinstance(value, dict)) and self.one_of(True, False):
                with_header.append((name, value))
            else:
                self.pair(path, name, value)
                self.text += self.one_of("\n", " # = [ \" '''\n", "\n\n", "\t\n")
        for name, value in with_header:
            self.headers((*path, name), value)

    def headers(self, path, value):
        # a header names the newest element of each array by itself, so indices are left out
        name = ".".join(key_text(part) for part in path if isinstance(part, str))
        self.note(path)
        if isinstance(value, dict):
            self.text += f"[{name}]\n"
            self.table(value, path)
        else:
            for index, item in enumerate(value):
                self.note((*path, index))
                self.text += f"[[ {name} ]]\n"
                self.table(item, (*path, index))

    def pair(self, path, name, value):
        path = (*path, name)
        self.note(path)
        self.text += key_text(name)
        while isinstance(value, dict) and len(value) == 1 and self.one_of(True, False):
            ((name, value),) = value.items()
            path = (*path, name)
            self.text += self.one_of(".", " . ") + key_text(name)
            self.note(path)
        self.text += self.one_of("=", " = ")
        self.value(path, value)

    def value(self, path, value):
        if isinstance(value, list):
            self.text += "["
            for index, item in enumerate(value):
                self.text += self.one_of("", " ", "\n", " # ]\n  ")
                self.note((*path, index))
                self.value((*path, index), item)
                self.text += self.one_of(",", " ,", "\n,")
            self.text += self.one_of("", "\n", "# ]\n") + "]"
        elif isinstance(value, dict):
            for number, (name, item) in enumerate(value.items()):
                self.text += ", " if number else "{ "
                self.pair(path, name, item)
            self.text += " }" if value else "{}"
        elif isinstance(value, str):
            self.text += self.one_of(*self.strings(value))
        else:
            self.text += literal(value)

    def strings(self, value):
        yield literal(value)
        # every line escaped by itself, the ends of the lines as they are
        inside = "\n".join(literal(line)[1:-1] for line in value.split("\n"))
        yield f'"""\n{inside}"""'
        if not value.startswith("\n"):
            yield f'"""{inside}"""'
        if "'" not in value and value.isprintable():
            yield f"'{value}'"
            yield f"'''{value}'''"


@settings(max_examples=examples(120))
@given(st.dictionaries(names, values, max_size=5), st.data())
def test_the_line_of_every_key_of_any_document(document, data):
    writer = Writer(data.draw)
    writer.table(document)
    assert tomllib.loads(writer.text) == document
    assert key_lines(writer.text) == writer.lines
