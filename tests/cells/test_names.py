"""Cells by name, by class and by function; names of one's own are imported."""

import subprocess
import sys
from functools import partial
from typing import Any

import jax
import pytest
from tests.support import OWN, LeakyCell, OwnCell, create_leaky

import unspool
from unspool import LSTM, ConfigError
from unspool.cells import CELLS, Cell, cell_class, cell_factory, cell_name, is_own
from unspool.cells.names import label, own_cells

KEY = jax.random.key(0)


@pytest.mark.parametrize("name", CELLS)
def test_built_in_cells_have_one_name(name: str):
    assert cell_class(name) is CELLS[name]
    made = cell_factory(name)(2, 3, layer_norm=True, key=KEY)
    assert (cell_name(made), cell_name(CELLS[name])) == (name, name)
    assert made.has_layer_norm
    assert not is_own(name)
    assert label(name) == name.upper()


@pytest.mark.parametrize("cell", [OWN, OwnCell, OwnCell.create, partial(OwnCell.create)])
def test_a_cell_is_named_imported_or_given(cell: Any):
    made = cell_factory(cell)(2, 3, key=KEY)
    assert type(made) is OwnCell
    assert cell_name(made) == OWN
    assert is_own(OWN)
    assert label(OWN) == "OwnCell"
    assert own_cells([OWN, "lstm"]) == {OWN: OwnCell}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("lstn", "cell must be one of rnn, gru, lstm or package.module:Class, got 'lstn'"),
        ("own: LeakyCell", "cell must be one of"),
        ("a.b:C:D", "cell must be one of"),
        (":C", "cell must be one of"),
        ("no.such:Cell", "can be imported, got 'no.such:Cell': No module named 'no'"),
        ("tests.support:Nothing", "module 'tests.support' has no attribute 'Nothing'"),
        ("tests.support:create_leaky", "must name a subclass of unspool.Cell"),
        ("json:JSONDecoder", "must name a subclass of unspool.Cell"),
        (7, "must be a name, a class of cells or a function, got 7"),
        (dict, "must be a name, a class of cells or a function"),
    ],
)
def test_what_is_no_cell_is_refused(cell: Any, words: str):
    with pytest.raises(ConfigError, match=words):
        cell_factory(cell)


def test_a_class_needs_what_draws_it():
    with pytest.raises(ConfigError, match=r"LeakyCell has no classmethod create\(.*: write one"):
        cell_factory(LeakyCell)(2, 3, key=KEY)


def test_a_function_must_make_a_cell_of_the_size():
    with pytest.raises(ConfigError, match="cell must make a Cell, got 5"):
        cell_factory(lambda inputs, hidden, *, key: 5)(2, 3, key=KEY)
    with pytest.raises(ConfigError, match="hidden_size 3 that it is asked for, got 4 of docstring"):
        cell_factory(lambda inputs, hidden, *, key: create_leaky(2, 4, key=key))(2, 3, key=KEY)


def test_a_function_need_not_know_of_layer_norm():
    def without(inputs: int, hidden: int, *, key: Any) -> Cell:
        return create_leaky(inputs, hidden, key=key)

    assert type(cell_factory(without)(2, 3, key=KEY)) is LeakyCell
    for create in (without, create_leaky):
        with pytest.raises(ConfigError, match="layer_norm does not go with docstring:LeakyCell"):
            cell_factory(create)(2, 3, layer_norm=True, key=KEY)


def test_a_subclass_has_a_name_of_its_own():
    class Other(LSTM):
        pass

    assert cell_name(Other).endswith(
        "test_names:test_a_subclass_has_a_name_of_its_own.<locals>.Other"
    )
    assert not is_own(cell_name(Other))  # nobody can import it


SCRIPT = """\
import unspool
from unspool.cells import cell_name


class Mine(unspool.LSTM):
    pass


if __name__ == "__main__":
    print(cell_name(Mine))
"""


def test_a_script_names_the_module_that_it_is(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    for words in (["script.py"], ["-m", "script"]):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout == "script:Mine\n"


def test_names_of_states_and_gates_are_those_of_a_step():
    for name, cell in CELLS.items():
        made = cell_factory(name)(2, 3, key=KEY)
        state = made.initial_state(1)
        assert tuple(cell.state_names) == state._fields
        assert tuple(cell.gate_names) == tuple(
            made.gates(state, made.project(jax.numpy.ones((1, 2))))
        )
    assert list(unspool.LSTM.quantities()) == list("hcifgo")
