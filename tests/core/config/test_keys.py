import msgspec
import pytest

from healmon.config import keys
from healmon.config import settings as st
from healmon.config.schema import default_text
from tests.helpers.configs import EXAMPLE

DERIVED = {
    st.Worker: {"name", "argv"},
    st.Tasks: {"name"},
    st.Database: {"name"},
    st.Channel: {"name"},
    st.Settings: {"source"},
}
"""Fields that no key of the same name gives."""
INPUTS = {st.Worker: {"command", "args"}, st.Sessions: {"socket"}}
"""Keys that become a field of another name."""


@pytest.mark.parametrize("table", [keys.ROOT, *keys.TABLES], ids=lambda table: table.title)
def test_keys_and_settings_are_the_same_words(table):
    fields = set(table.struct.__struct_fields__) - DERIVED.get(table.struct, set())
    assert {key.name for key in table.keys} - INPUTS.get(table.struct, set()) == fields


@pytest.mark.parametrize("table", keys.TABLES, ids=lambda table: table.title)
def test_every_key_says_what_it_is_and_what_it_takes(table):
    assert table.doc
    for key in table.keys:
        assert key.doc
        assert key.allowed
        assert (key.kind is None) != (key.table is None)


@pytest.mark.parametrize("table", keys.TABLES, ids=lambda table: table.title)
def test_every_default_is_one_that_the_key_takes(table):
    fields = {field.name: field for field in msgspec.structs.fields(table.struct)}
    for key in table.keys:
        text = default_text(table, key)
        field = fields.get(key.name)
        if not text or key.kind is None or field is None:
            continue
        values = field.default if key.shape == "list" else [field.default]
        for value in values:
            written = msgspec.toml.decode(f"x = {key.kind.write(value)}")["x"]
            assert key.kind.read(written) == value


def test_defaults_are_told_as_toml():
    told = {
        f"{table.title}.{key.name}": default_text(table, key)
        for table in keys.TABLES
        for key in table.keys
    }
    assert told["monitor.check_interval"] == '"1m"'
    assert told["disk.warning"] == "85"
    assert told["disk.paths"] == '["/"]'
    assert told["workers.NAME.critical"] == "false"
    assert told["workers.NAME.script"] == ""
    assert told["workers.NAME.memory_limit"] == ""


def test_every_key_of_the_contract_is_known(configs):
    assert configs.settings(EXAMPLE)
