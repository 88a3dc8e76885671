"""Reading pickles from strangers: containers, numbers, strings and NumPy arrays, nothing else.

A pickle is a program: it names callables and calls them. Here a name is looked up in a fixed
table (`smash.data.pickled_arrays`), and what stands there is never NumPy's own function but a
stand-in that checks its arguments and can do no more than make an array out of bytes the file
itself carries. (NumPy's own reconstruction trusts the file: a data type restored with false flags
makes it read bytes as object pointers.)

Nor may a small file cost much. It is read whole before it is believed about lengths. Only
instructions that data need are obeyed. Keys are plain values: to look up a tuple of tuples of
tuples takes time without end, or all of the interpreter's stack. What is made of bytes, over and
over of the same ones, is counted against the size of the file.
"""

import io
import pickle
import pickletools
import re
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from smash.data.pickled_arrays import ARRAYS, Buildable, Room, StandIn
from smash.data.raw import reading
from smash.errors import DataError
from smash.untrusted_files import regular_size

_MAX_ARGUMENTS = 8
_COPIES = 8
"""How often over the bytes of a file may become arrays and bytes of their own."""

_OBEYED = re.compile(
    r"PROTO|FRAME|STOP|MARK|MEMOIZE|(BIN|LONG_BIN)?(GET|PUT)|GLOBAL|STACK_GLOBAL|REDUCE|BUILD"
    r"|NONE|NEWTRUE|NEWFALSE|INT|BININT[12]?|LONG[14]?|FLOAT|BINFLOAT|BINPERSID"
    r"|(SHORT_)?BINSTRING|STRING|(SHORT_)?BINBYTES8?|(SHORT_)?BINUNICODE8?|UNICODE"
    r"|EMPTY_LIST|LIST|APPENDS?|EMPTY_TUPLE|TUPLE[123]?|EMPTY_DICT|DICT|SETITEMS?"
)


def load_pickle(path: str | Path) -> object:
    """Returns what the pickle holds; arrays come back as arrays, also those of dtype object.

    Raises:
        DataError: when the file is missing, truncated or no pickle, or names anything but
            NumPy's arrays, scalars and data types. The error names the file and the refused
            global; nothing that the file names is imported or run.
    """
    path = Path(path)
    size = regular_size(path, DataError)
    with reading(path, "a pickle"), path.open("rb") as file:
        return unpickled(file.read(size), str(path))


def unpickled(content: bytes, name: str) -> object:
    """Returns what pickled bytes hold, as `load_pickle` does; errors name them `name`.

    Raises:
        DataError: when they name anything but NumPy's arrays, scalars and data types.
        Exception: whatever a broken pickle leads to.
    """
    return RestrictedUnpickler(content, name, ARRAYS).load()


class RestrictedUnpickler(pickle._Unpickler):
    """An unpickler whose globals are the stand-ins of a table.

    It is the one written in Python: the one in C fills tens of gigabytes when a file of six bytes
    gives a large number to a memo (CPython before 3.14).
    """

    dispatch: ClassVar[dict[int, Callable[[Any], None]]]
    # Pickle's own, which its type stubs leave out.
    stack: list[Any]
    memo: dict[int, Any]
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def __init__(self, content: bytes, name: str, globals: Mapping[tuple[str, str], Any]):
        # latin1 is how array bytes written by Python 2 survive.
        super().__init__(io.BytesIO(content), encoding="latin1")
        self.name, self.globals = name, globals
        self.room = Room(_COPIES * len(content) + 4096)

    def find_class(self, module: str, name: str) -> Any:
        stand_in = self.globals.get((module, name))
        if stand_in is None:
            self.refuse(f"{module[:80]}.{name[:80]}")
        return stand_in

    def persistent_load(self, pid: Any) -> Any:
        self.refuse("a persistent id")

    def refuse(self, what: str) -> NoReturn:
        """Raises the error that names the file and what in it is refused."""
        raise DataError(
            f"{self.name}: refused to load {what}; a data pickle holds lists, numbers, strings "
            "and NumPy arrays only. Nothing in it was run; do not open this file otherwise"
        )

    def _reduce(self) -> None:
        arguments: Any = self.stack.pop()
        function = self.stack[-1]
        if type(function) is not StandIn or type(arguments) is not tuple:
            raise pickle.UnpicklingError("a call of something that is no function")
        if len(arguments) > _MAX_ARGUMENTS:
            raise pickle.UnpicklingError("a call with too many arguments")
        self.stack[-1] = function(self.room, *arguments)

    def _build(self) -> None:
        state = self.stack.pop()
        built = self.stack[-1]
        if not isinstance(built, Buildable):
            raise pickle.UnpicklingError(f"state set on a {type(built).__name__}")
        built.build(state, self.room)

    def _append(self) -> None:
        value = self.stack.pop()
        self._last(list).append(value)

    def _appends(self) -> None:
        values = self.pop_mark()
        self._last(list).extend(values)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._last(dict).update(self._mapping([key, value]))

    def _set_items(self) -> None:
        values = self.pop_mark()
        self._last(dict).update(self._mapping(values))

    def _dict(self) -> None:
        values = self.pop_mark()
        self.append(self._mapping(values))

    def _last(self, kind: type) -> Any:
        """Returns what lies on top, which is to be of this kind."""
        last = self.stack[-1]
        if not isinstance(last, kind):
            raise pickle.UnpicklingError(f"values put into what is no {kind.__name__}")
        return last

    def _mapping(self, values: list[Any]) -> dict[Any, Any]:
        """Returns a mapping of keys and values in turn."""
        keys = values[::2]
        if not all(map(_is_plain_key, keys)):
            self.refuse("a mapping whose keys are more than numbers and text")
        return dict(zip(keys, values[1::2], strict=True))

    def _put(self) -> None:
        place = int(self.readline()[:-1])
        if not 0 <= place < 2**32:  # as in the binary instructions
            raise pickle.UnpicklingError("a place in the memo beyond all")
        self.memo[place] = self.stack[-1]

    def _byte_array(self) -> None:
        """As bytes: a byte array of the length that is named would be made before it is read."""
        [length] = struct.unpack("<Q", self.read(8))
        content = self.read(length)
        if len(content) < length:
            raise pickle.UnpicklingError("bytes that are not all there")
        self.append(content)

    def _instance(self) -> None:
        module, name = (self.readline()[:-1].decode("utf-8") for _ in range(2))
        self.refuse(f"{module[:80]}.{name[:80]}")


def _is_plain_key(key: Any) -> bool:
    # Whole numbers beyond 60 bits can be chosen to share one place in a mapping.
    return key is None or type(key) in (str, bytes, bool) or (type(key) is int and abs(key) < 2**60)


def _refusing(instruction: str) -> Callable[[Any], None]:
    def refuse(unpickler: RestrictedUnpickler) -> None:
        unpickler.refuse(f"the instruction {instruction}")

    return refuse


def _dispatch() -> dict[int, Callable[[Any], None]]:
    """Returns what each instruction does: pickle's own way, a checked one, or a refusal."""
    usual = pickle._Unpickler.dispatch
    table = {
        ord(code.code): usual[ord(code.code)]
        if _OBEYED.fullmatch(code.name)
        else _refusing(code.name)
        for code in pickletools.opcodes
    }
    return table | {
        ord(pickle.REDUCE): RestrictedUnpickler._reduce,
        ord(pickle.BUILD): RestrictedUnpickler._build,
        ord(pickle.APPEND): RestrictedUnpickler._append,
        ord(pickle.APPENDS): RestrictedUnpickler._appends,
        ord(pickle.SETITEM): RestrictedUnpickler._set_item,
        ord(pickle.SETITEMS): RestrictedUnpickler._set_items,
        ord(pickle.DICT): RestrictedUnpickler._dict,
        ord(pickle.PUT): RestrictedUnpickler._put,
        ord(pickle.BYTEARRAY8): RestrictedUnpickler._byte_array,
        ord(pickle.INST): RestrictedUnpickler._instance,
    }


RestrictedUnpickler.dispatch = _dispatch()
