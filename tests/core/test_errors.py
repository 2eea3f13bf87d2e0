import pytest

from healmon import errors
from healmon.errors import ConfigError, HealmonError, Problem, SpawnError

EXIT_CODES = {
    "HealmonError": 70,
    "UsageError": 64,
    "DataError": 65,
    "MissingPartError": 69,
    "StateDirError": 73,
    "StoreFaultError": 73,
    "HolderError": 75,
    "ConfigError": 78,
    "StoreVersionError": 78,
}


@pytest.mark.parametrize(("name", "code"), EXIT_CODES.items())
def test_exit_codes_are_those_of_the_contract(name, code):
    assert getattr(errors, name).exit_code == code


def test_every_error_is_a_healmon_error_and_fits_an_exit_code():
    classes = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, Exception)
    ]
    assert len(classes) > len(EXIT_CODES)
    for kind in classes:
        assert issubclass(kind, HealmonError)
        assert 64 <= kind.exit_code <= 78
        assert kind.__doc__


def test_an_error_says_how_to_mend_it_on_a_line_of_its_own():
    assert str(errors.DataError("no worker of this name")) == "no worker of this name"
    error = errors.DataError("no worker of this name", remedy="see `healmon status`")
    assert str(error) == "no worker of this name\n  see `healmon status`"
    assert error.remedy == "see `healmon status`"


def test_a_spawn_error_tells_the_host_from_the_command():
    assert SpawnError("no such program").host_fault is False
    assert SpawnError("no more processes", host_fault=True).host_fault is True


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("f.toml", 12, "a.b", "unknown key", nearest="bb"),
         'f.toml:12: a.b: unknown key; did you mean "bb"?'),
        (Problem("f.toml", 3, "a", found="5", allowed="a table"),
         "f.toml:3: a: found 5; allowed: a table"),
        (Problem("f.toml", None, "", "cannot be read"), "f.toml: cannot be read"),
        (Problem("f.toml", 7, "", "is not TOML"), "f.toml:7: is not TOML"),
    ],
)  # fmt: skip
def test_a_problem_is_one_line(problem, line):
    assert str(problem) == line


def test_a_configuration_error_lists_its_problems():
    problems = (Problem("f", 1, "a", "x"), Problem("f", 2, "b", "y"))
    error = ConfigError(problems=problems)
    assert error.problems == problems
    assert str(error) == "f:1: a: x\nf:2: b: y"
    assert str(ConfigError("said otherwise", problems=problems)) == "said otherwise"
    assert ConfigError("x").problems == ()
