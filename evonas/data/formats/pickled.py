"""Arrays in a pickle, read without running any of it: nothing is imported, nothing is called.

A pickle is a program. Here its instructions are carried out by hand: numbers, texts, bytes, lists, tuples, dicts and
numpy arrays are made, and every other instruction is refused.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from evonas.data.files import LARGEST
from evonas.options import shown

_MOST_FOR_BYTE = 4
"""Bytes of memory that may be taken for each byte of a pickle: those of an image are a text before they are bytes."""

_MOST_FOR_ALL = 2**26
"""Bytes of memory that may be taken in any case, so that many small values have room."""

_INSTRUCTION = 128
"""Bytes of memory that one instruction takes at most, beside its argument: an empty dict, or a place in a table."""

_DTYPE = re.compile(r"[<>|=]?[biuf][1248]")
_CALLABLE = {
    "numpy ndarray": "array",
    "numpy dtype": "dtype",
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy.core.numeric _frombuffer": "frombuffer",
    "numpy._core.numeric _frombuffer": "frombuffer",
    "_codecs encode": "encode",
    "__builtin__ bytes": "bytes",
}
"""What a pickled array names; each stands for a word, nothing is looked up."""

_VALUES = {
    "INT", "LONG", "LONG1", "LONG4", "BININT", "BININT1", "BININT2", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
}  # fmt: skip
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY: dict[str, Any] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class PickleFault(Exception):
    """One sentence without its end: why a pickle is not read."""


@dataclass(frozen=True)
class _Word:
    """What a pickle calls, by our word for it."""

    name: str


@dataclass
class _Dtype:
    code: str


@dataclass
class _Array:
    """An array that is still to be filled by its state."""

    values: np.ndarray | None = None


@dataclass
class _Machine:
    """The stack of a pickle, what it keeps for later, and how many bytes of memory it may still take."""

    room: int
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def take(self, size: int) -> None:
        """Count bytes of memory before they are taken."""
        self.room -= size
        if self.room < 0:
            most = f"{_MOST_FOR_BYTE} bytes for each of its own and {_MOST_FOR_ALL:,} beside"
            raise PickleFault(f"it would take more memory than {most}")

    def encoded(self, text: str) -> bytes:
        """Return the bytes that a text of Latin-1 stands for."""
        self.take(len(text))
        return text.encode("latin-1")

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise PickleFault("it takes a value where none is")
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        if not self.marks:
            raise PickleFault("it ends a group that has not begun")
        begin = self.marks.pop()
        taken = self.stack[begin:]
        del self.stack[begin:]
        return taken

    def top(self, kind: type) -> Any:
        if not self.stack or type(self.stack[-1]) is not kind:
            raise PickleFault(f"it adds to what is no {kind.__name__}")
        return self.stack[-1]


def read_pickle(data: bytes) -> Any:
    """Return what a pickle holds: dicts, lists, tuples, texts, bytes, numbers and arrays of numbers.

    Texts of Python 2 are read as Latin-1, as which each byte is one character.

    Raises:
        PickleFault: If it is damaged, asks for anything else, or would take far more memory than it is long.

    Examples:
        >>> import pickle
        >>> read_pickle(pickle.dumps({"labels": [3, 1], "names": ("a", "b")}))
        {'labels': [3, 1], 'names': ('a', 'b')}
    """
    machine = _Machine(_MOST_FOR_BYTE * len(data) + _MOST_FOR_ALL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of pickletools, where a text has an unknown escape
        return _carried_out(data, machine)


def _carried_out(data: bytes, machine: _Machine) -> Any:
    at = 0
    try:
        for operation, argument, position in pickletools.genops(io.BytesIO(data)):
            at = position or 0
            if operation.name == "STOP":
                return _finished(machine.pop())
            machine.take(_INSTRUCTION + (len(argument) if isinstance(argument, str | bytes | bytearray) else 0))
            _carry_out(machine, operation.name, argument)
    except PickleFault as fault:
        raise PickleFault(f"{fault} (byte {at:,})") from None
    except (ValueError, UnicodeError, OverflowError) as error:  # of pickletools
        raise PickleFault(f"it is damaged or cut short after byte {at:,}") from error
    raise AssertionError("genops ends with STOP or a ValueError")


def _carry_out(machine: _Machine, name: str, argument: Any) -> None:
    stack = machine.stack
    if name in _VALUES:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name in _TUPLES:
        stack.append(tuple(reversed([machine.pop() for _ in range(_TUPLES[name])])))
    elif name == "MARK":
        machine.marks.append(len(stack))
    elif name in ("TUPLE", "LIST"):
        stack.append((tuple if name == "TUPLE" else list)(machine.pop_to_mark()))
    elif name == "DICT":
        stack.append(_pairs(machine.pop_to_mark()))
    elif name in ("APPEND", "APPENDS"):
        added = [machine.pop()] if name == "APPEND" else machine.pop_to_mark()
        machine.top(list).extend(added)
    elif name in ("SETITEM", "SETITEMS"):
        added = [machine.pop(), machine.pop()][::-1] if name == "SETITEM" else machine.pop_to_mark()
        machine.top(dict).update(_pairs(added))
    elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
        value = machine.pop()
        stack.append(value)
        machine.memo[len(machine.memo) if name == "MEMOIZE" else argument] = value
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        if argument not in machine.memo:
            raise PickleFault("it takes up what it has not kept")
        stack.append(machine.memo[argument])
    elif name == "GLOBAL":
        stack.append(_word(str(argument)))
    elif name == "STACK_GLOBAL":
        attribute, module = machine.pop(), machine.pop()
        stack.append(_word(f"{module} {attribute}" if isinstance(module, str) and isinstance(attribute, str) else ""))
    elif name == "REDUCE":
        arguments, called = machine.pop(), machine.pop()
        stack.append(_made(machine, called, arguments))
    elif name == "BUILD":
        state = machine.pop()
        _fill(machine, stack[-1] if stack else None, state)
    elif name not in ("PROTO", "FRAME"):
        raise PickleFault(f"it has the instruction {name}, which arrays do not need")


def _word(named: str) -> _Word:
    word = _CALLABLE.get(named)
    if word is None:
        raise PickleFault(
            f"it would run {shown(named.replace(' ', '.', 1))}; only numpy arrays and plain values are read"
        )
    return _Word(word)


def _made(machine: _Machine, called: Any, arguments: Any) -> Any:
    """Return what stands for the value that a call would give."""
    match called, arguments:
        case _Word("dtype"), (str(code), *_):
            return _Dtype(code)
        case _Word("reconstruct"), (_Word("array"), *_):
            return _Array()
        case _Word("frombuffer"), (bytes() | bytearray() as raw, _Dtype() as dtype, tuple(shape), str(order)):
            return _Array(_values(machine, raw, dtype, shape, is_by_column=order == "F"))
        case _Word("encode"), (str(text), *_):  # how Python 3 writes bytes in the protocols of Python 2
            return machine.encoded(text)
        case _Word("bytes"), ():
            return b""
    raise PickleFault("it calls something in a way that arrays do not need")


def _fill(machine: _Machine, owner: Any, state: Any) -> None:
    match owner, state:
        case _Dtype(), (int(), str(order), *_):
            if order in "<>|=" and len(order) == 1:
                owner.code = order + owner.code.lstrip("<>|=")
                return
        case _Array(), (int(), tuple(shape), _Dtype() as dtype, bool() | int() as is_by_column, raw):
            owner.values = _values(machine, raw, dtype, shape, is_by_column=bool(is_by_column))
            return
    raise PickleFault("it holds an array in a form that is not known")


def _values(machine: _Machine, raw: Any, dtype: _Dtype, shape: tuple[Any, ...], *, is_by_column: bool) -> np.ndarray:
    """Return the array of the bytes of its values."""
    if isinstance(raw, str):  # bytes of Python 2
        raw = machine.encoded(raw)
    if not _DTYPE.fullmatch(dtype.code):
        raise PickleFault(f"it holds an array of {shown(dtype.code)}, expected numbers")
    kind = np.dtype(dtype.code)
    if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 8:
        raise PickleFault("it holds an array of a shape that is none")
    announced = math.prod(shape) * kind.itemsize
    if not isinstance(raw, bytes | bytearray) or len(raw) != announced or announced > LARGEST:
        came = f"{len(raw):,}" if isinstance(raw, bytes | bytearray) else "no"
        raise PickleFault(f"it holds an array of shape {shown(shape)}, {announced:,} bytes, and {came} bytes of values")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if is_by_column else "C")


def _pairs(values: list[Any]) -> dict[Any, Any]:
    if len(values) % 2:
        raise PickleFault("it has a key without a value")
    keys = values[::2]
    if not all(type(key) in (str, bytes, int) for key in keys):  # the hash of a deep tuple would overflow the stack
        raise PickleFault("it has a key that is neither a text nor a number")
    return dict(zip(keys, values[1::2], strict=True))


def _finished(value: Any) -> Any:
    """Return a value with the arrays in place of what stood for them: in dicts, lists and tuples of the first level."""
    if isinstance(value, dict):
        return {_array(key): _array(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_array, value))
    return _array(value)


def _array(value: Any) -> Any:
    if isinstance(value, _Array):
        if value.values is None:
            raise PickleFault("it holds an array without values")
        return value.values
    return value
