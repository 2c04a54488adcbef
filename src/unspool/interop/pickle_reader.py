"""An interpreter for the pickles that torch.save writes: tensors, numbers, strings, containers.

Python's own unpickler calls whatever a file names and sets any attribute. This one knows two dozen
opcodes and four names; nothing is imported, no attribute is set, and the only calls are the ones
written out below.
"""

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError
from ..limits import MAX_PICKLE_BYTES, MAX_PICKLE_STEPS

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Callable[[], Any]] = {
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_DICT": dict,
}
_VALUES = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE"})
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NAMES = frozenset(
    {"collections.OrderedDict", "torch._utils._rebuild_tensor_v2"}
    | {"torch._utils._rebuild_parameter"}
)

Storage = Callable[[Any], np.ndarray]


@dataclass(frozen=True)
class Name:
    """A global that a pickle names: only its name, never the object."""

    name: str


def shown(value: Any, length: int = 80) -> str:
    """Shorten a hostile string (or error) to fit on one line."""
    return repr(str(value)[:length])[1:-1]


def read_pickle(file: BinaryIO, storage: Storage | None = None) -> Any:
    """Read the pickle that begins here; `storage` maps persistent ids to flat arrays.

    Dictionaries have strings as keys: hashing a nested tuple may take forever. Raises DataError for
    opcodes, names and calls that torch.save does not write, and whatever `pickletools` raises if
    the bytes are not a pickle.
    """
    machine = _Machine(storage or _no_storage)
    begin = file.tell()
    for step, (op, argument, position) in enumerate(pickletools.genops(file)):
        if (position or 0) - begin > MAX_PICKLE_BYTES:
            raise DataError(f"its pickle is over {MAX_PICKLE_BYTES:,} bytes")
        if step >= MAX_PICKLE_STEPS:  # one byte can make a dictionary of 64 bytes
            raise DataError(f"its pickle has more than {MAX_PICKLE_STEPS:,} steps")
        machine.run(op.name, argument)
    (value,) = machine.stack
    return value


def _no_storage(pid: Any) -> np.ndarray:
    raise DataError("a tensor in a place where none is allowed")


@dataclass
class _Machine:
    storage: Storage
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, op: str, argument: Any) -> None:
        stack = self.stack
        if op in _VALUES:
            stack.append(argument)
        elif op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in _EMPTY:
            stack.append(_EMPTY[op]())
        elif op in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = stack[-1]
        elif op in ("BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        elif op in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[op])))
        elif op not in ("PROTO", "STOP"):
            self._run_rest(op, argument)

    def _run_rest(self, op: str, argument: Any) -> None:
        match op:
            case "MARK":
                self.marks.append(len(self.stack))
            case "TUPLE":
                self.stack.append(tuple(self._pop_to_mark()))
            case "APPEND" | "SETITEM":
                items = self._pop(1 if op == "APPEND" else 2)
                _add(self._top(), items)
            case "APPENDS" | "SETITEMS":
                items = self._pop_to_mark()
                _add(self._top(), items)
            case "GLOBAL":
                self.stack.append(_name(argument))
            case "BINPERSID":
                self.stack.append(self.storage(*self._pop(1)))
            case "REDUCE":
                self.stack.append(_call(*self._pop(2)))
            case "BUILD":  # nn.Module's state dicts carry `_metadata`, which is not needed
                self._pop(1)
            case _:
                raise DataError(f"its pickle has the opcode {op}, which is not allowed")

    def _top(self) -> Any:
        (top,) = self._pop(1)
        self.stack.append(top)
        return top

    def _pop(self, count: int) -> list[Any]:
        begin = len(self.stack) - count
        if begin < (self.marks[-1] if self.marks else 0):
            raise DataError("its pickle pops from an empty stack")
        items = self.stack[begin:]
        del self.stack[begin:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise DataError("its pickle ends a list that it did not start")
        return self._pop(len(self.stack) - self.marks.pop())


def _add(target: Any, items: list[Any]) -> None:
    """Append to a list, or set alternating keys and values of a dictionary."""
    if isinstance(target, list):
        target.extend(items)
    elif isinstance(target, dict) and all(isinstance(key, str) for key in items[::2]):
        target.update(zip(items[::2], items[1::2], strict=True))
    else:
        raise DataError("its pickle fills something other than a list or a dictionary of names")


def _name(argument: str) -> Name:
    name = argument.replace(" ", ".", 1)
    is_storage = name.startswith("torch.") and name.endswith("Storage") and name.count(".") == 1
    if name not in _NAMES and not is_storage:
        raise DataError(f"its pickle asks for {shown(name)}, which is not allowed")
    return Name(name)


def _call(function: Any, arguments: Any) -> Any:
    match function, arguments:
        case Name("collections.OrderedDict"), ():
            return {}
        case Name("torch._utils._rebuild_parameter"), (np.ndarray() as data, *_):
            return data
        case (
            Name("torch._utils._rebuild_tensor_v2"),
            (np.ndarray() as storage, offset, tuple(shape), tuple(strides), *_),
        ):
            return _tensor(storage, offset, shape, strides)
    raise DataError("its pickle makes a call that torch.save does not write")


def _tensor(storage: np.ndarray, offset: Any, shape: Any, strides: Any) -> np.ndarray:
    """Return a strided view. Raises DataError if it leaves its storage or repeats numbers."""
    if len(shape) != len(strides) or len(shape) > 32:
        raise DataError("a tensor's strides do not fit its shape")
    if not all(type(n) is int and n >= 0 for n in (offset, *shape, *strides)):
        raise DataError("a tensor's offset, shape and strides must be whole numbers from 0 up")
    size, reach = math.prod(shape), sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if size > storage.size or (size and offset + reach >= storage.size):
        raise DataError(f"a tensor of {size} numbers lies outside its storage of {storage.size}")
    if not size:
        return np.zeros(shape, storage.dtype)
    steps = [s * storage.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
