"""Ways to alter a good file: by bytes, by the values in it, and by what stands in its place."""

import json
import os
import pickle
import pickletools
import random
import socket
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from safetensors.torch import load_file, save_file

Alteration = Callable[[Path, random.Random], None]

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 63, 64, 65, 127, 1000, 65_536, 10**6, 2**31, 2**63),
    *(10**30, -(10**30), 10**400, 0.0, -0.0, 0.5, 1.5, 1e-9, 1e-300, 1e30, -1e30, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "0", "1", "NaN", "a", "auto", "none"),
    *("é", "\0", "a" * 5000, "../x", "=1+1", "\ud800", [], {}, [[]], [0], [1, 2, 3], [None] * 3),
    *({"a": 1}, [1.0] * 201, ["a", "a", "a"], ["a", "b"], [1e308, 1e308], [[1, 2], [3, 4]]),
)


def bytes_of(name: str) -> Alteration:
    """Returns what alters bytes of a file: some flipped, removed, doubled, zeroed or put in."""

    def alter(folder: Path, rng: random.Random) -> None:
        content = bytearray((folder / name).read_bytes())
        for _ in range(rng.choice((1, 1, 2, 5, 20))):
            start = rng.randrange(len(content)) if content else 0
            if rng.random() < 0.5:  # where formats keep what they say of themselves
                start = rng.choice((start % 100, len(content) - 1 - start % 100, start)) % max(
                    len(content), 1
                )
            end = start + rng.choice((1, 4, 8, 50))
            piece = content[start:end]
            content[start:end] = rng.choice(
                (
                    bytes(byte ^ (1 << rng.randrange(8)) for byte in piece),
                    bytes(rng.randrange(256) for _ in piece),
                    b"",
                    bytes(piece) * 2,
                    bytes(len(piece)),
                    b"\xff" * len(piece),
                )
            )
        if rng.random() < 0.1:
            del content[rng.randrange(len(content) + 1) :]
        (folder / name).write_bytes(content)

    return alter


def _places(content: Any, above: tuple = ()) -> list[tuple]:
    """Returns the path to every value within a JSON value."""
    found = [above] if above else []
    items = content.items() if isinstance(content, dict) else ()
    items = enumerate(content) if isinstance(content, list) else items
    for key, value in items:
        found += _places(value, (*above, key))
    return found


def altered_values(content: Any, rng: random.Random) -> Any:
    """Returns a JSON value with one to three of its parts altered."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = _places(content)
        if not places:
            return rng.choice(ODD)
        # Keys first: a list of 201 levels would be all that is ever altered.
        depth = rng.choice(sorted({len(place) for place in places}))
        *path, last = rng.choice([place for place in places if len(place) == depth])
        within = content
        for key in path:
            within = within[key]
        how = rng.random()
        if how < 0.1:
            del within[last]
        elif how < 0.2 and isinstance(within, dict):
            within[rng.choice(("new", "", "a" * 300, "Format"))] = rng.choice(ODD)
        elif how < 0.4 and type(within[last]) in (int, float):
            within[last] = within[last] * rng.choice((-1, 2, 0, 1e6, 1e-6, 10, 1e300))
        elif how < 0.5 and isinstance(within[last], list):
            within[last] = within[last][::-1] + within[last] * rng.randrange(3)
        else:
            within[last] = rng.choice(ODD)
    return content


def json_of(name: str) -> Alteration:
    """Returns what alters the values of a JSON file."""

    def alter(folder: Path, rng: random.Random) -> None:
        path = folder / name
        text = json.dumps(altered_values(json.loads(path.read_text()), rng))
        if rng.random() < 0.05:
            text = text.replace("{", '{"format": 1, ', 1)
        path.write_text(text)

    return alter


def json_lines(folder: Path, rng: random.Random) -> None:
    """Alters the values of a file of JSON Lines, or its lines."""
    path = folder / "events.jsonl"
    content = altered_values([json.loads(line) for line in path.open()], rng)
    lines = [json.dumps(line) for line in (content if isinstance(content, list) else [content])]
    if rng.random() < 0.1:
        lines[rng.randrange(len(lines) or 1) :] = ["", rng.choice(("{", "[" * 10_000, "NaN", "1"))]
    path.write_text(rng.choice(("\n", "\n", "\r\n", "\n\n", " ")).join(lines))


def _altered_tensors(tensors: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    name = rng.choice(sorted(tensors))
    tensor = tensors[name]
    flat = tensor.clone().reshape(-1)
    if len(flat) and flat.is_floating_point():
        odd = rng.choice((float("nan"), float("inf"), 1e30, -1e30, 1e-30, 0.0, 1e38))
        flat[rng.randrange(len(flat)) if rng.random() < 0.7 else slice(None)] = odd
    choices: list[Callable[[], Any]] = [
        lambda: flat.reshape(tensor.shape),
        lambda: flat.reshape(tensor.shape),
        lambda: tensor.double(),
        lambda: tensor.half(),
        lambda: tensor.reshape(-1),
        lambda: tensor[:-1] if tensor.dim() else tensor,
        lambda: torch.cat([tensor, tensor]) if tensor.dim() else tensor,
        lambda: torch.zeros(0),
        lambda: torch.zeros(tensor.shape, dtype=torch.int64),
    ]
    altered = dict(tensors)
    if rng.random() < 0.1:
        del altered[name]
    elif rng.random() < 0.1:
        altered["other"] = torch.zeros(3)
    else:
        altered[name] = rng.choice(choices)().contiguous()
    return altered


def weights(folder: Path, rng: random.Random) -> None:
    """Alters one tensor of a saved model."""
    path = folder / "model" / "weights.safetensors"
    save_file(_altered_tensors(load_file(path), rng), path)


def original(folder: Path, rng: random.Random) -> None:
    """Alters one tensor of an original checkpoint, or puts something else beside them."""
    path = folder / "original.pkl"
    content = _altered_tensors(torch.load(path, weights_only=True), rng)
    if rng.random() < 0.2:
        odd = rng.choice(
            (
                torch.zeros(1).expand(10**9),
                [1],
                {"a": (1, (2,))},
                bytearray(10),
                {(1, 2): 3},
                10**30,
            )
        )
        content[rng.choice((*content, "other"))] = odd
    kind = rng.random() < 0.9
    torch.save(content, path, _use_new_zipfile_serialization=kind)


def training(folder: Path, rng: random.Random) -> None:
    """Alters a value of a training's state."""
    path = folder / "training" / "epoch-00002" / "training.pt"
    state = torch.load(path, weights_only=True)
    part: Any = state
    while True:
        key = rng.choice(list(part) if isinstance(part, dict) else range(len(part)))
        deeper = isinstance(part[key], dict | list) and len(part[key]) > 0
        if not deeper or rng.random() < 0.2:
            break
        part = part[key]
    value = part[key]
    if isinstance(value, torch.Tensor) and rng.random() < 0.6:
        part[key] = _altered_tensors({"it": value}, rng).get("it", None)
    elif isinstance(part, dict) and rng.random() < 0.2:
        del part[key]
    else:
        part[key] = rng.choice([odd for odd in ODD if odd != "\ud800"])
    torch.save(state, path)


def spec(folder: Path, rng: random.Random) -> None:
    """Alters a spec: values, or what YAML can do beside values."""
    path = folder / "spec.yaml"
    if rng.random() < 0.8:
        values = yaml.safe_load(path.read_text())
        for section in ("model", "objective", "training", "sampling", "scores", "data"):
            values.setdefault(section, {})
        values["model"] |= {"cond_dim": 8, "periods": [24.0], "time_encoding": "relative"}
        values["data"] |= {"simulator": {"n_marks": 2, "events": [3, 5]}}
        odd = altered_values(values, rng)
        try:
            path.write_text(yaml.dump(odd), encoding="utf-8", errors="surrogatepass")
        except yaml.YAMLError:
            path.write_text("a: \0")
        return
    bombs = (
        lambda: "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        lambda: "name: " + "[" * rng.choice((10, 1000, 90_000)),
        lambda: "a:\n" + "".join(" " * i + "a:\n" for i in range(1, 500)),
        lambda: "name: " + "x" * rng.choice((1000, 200_000, 3_000_000)),
        lambda: "a: [" + "[]," * rng.choice((1000, 80_000)) + "]",
        lambda: "name: !!python/object/apply:os.system ['true']",
        lambda: "name: " + "9" * rng.choice((100, 5000, 100_000)),
        lambda: "{" + ",".join(f"k{i}: 1" for i in range(20_000)) + "}",
        lambda: "<<: {a: 1}\nname: x\nname: y",
        lambda: "? [a, b]\n: 1",
        lambda: "%YAML 1.1\n%TAG ! tag:x,2000:\n--- !a\n- 1\n--- 2\n",
    )
    path.write_text(rng.choice(bombs)())


CELLS = (
    *(
        "",
        " ",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e308",
        "-1e30",
        "1e30",
        "abc",
        "1,5",
        "0x10",
        "1_0",
    ),
    *("2024-01-01T00:00:00Z", "2024-01-01", "20240101", "99999999999999999999", "2147483647", "-1"),
    *('"', "'", "\0", "é", "x" * 100_000, "None", "True", "1.0", "01", "0", "-0.0", "1e-320", "=1"),
)


def csv(folder: Path, rng: random.Random) -> None:
    """Alters cells, rows, the header or the writing of a CSV table."""
    path = folder / "events.csv"
    rows = [line.split(",") for line in path.read_text().splitlines()]
    encoding = "utf-8"
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.randrange(len(rows))
        column = rng.randrange(len(rows[row])) if rows[row] else 0
        match rng.randrange(12):
            case 0:
                del rows[row]
            case 1:
                rows.insert(row, list(rows[row]))
            case 2:
                rows = rows[:1] + rows[:0:-1]
            case 3:
                rows[row] = rows[row] + [rng.choice(CELLS)]
            case 4:
                rows[row] = rows[row][:-1]
            case 5:
                encoding = rng.choice(("utf-16", "latin-1", "utf-8-sig", "utf-32"))
            case 6:
                rows = [[cell for k, cell in enumerate(line) if k != column] for line in rows]
            case 7 if rng.random() < 0.2:
                rows = [[*rows[0], *(f"c{i}" for i in range(20_000))], *([["1"]] * 20_000)]
            case _ if rows[row]:
                rows[row][column] = rng.choice(CELLS)
        rows = rows or [["time"]]
    between = rng.choice((",", ",", ",", ";", "\t"))
    end = rng.choice(("\n", "\n", "\r\n", "\r"))
    path.write_bytes(end.join(between.join(row) for row in rows).encode(encoding, "replace"))


def parquet(folder: Path, rng: random.Random) -> None:
    """Replaces a column of a Parquet table by one of another kind, or by a bomb."""
    path = folder / "events.parquet"
    table = pq.read_table(path)
    n_rows, name = len(table), rng.choice(table.column_names)
    columns: list[Callable[[], Any]] = [
        lambda: pa.nulls(n_rows),
        lambda: pa.nulls(n_rows, pa.float64()),
        lambda: pa.array([rng.choice(CELLS).replace("\0", "") for _ in range(n_rows)]),
        lambda: pa.array([[1.0, 2.0]] * n_rows),
        lambda: pa.array([{"a": 1}] * n_rows),
        lambda: pa.array([b"\xff"] * n_rows),
        lambda: pa.array([True] * n_rows),
        lambda: pa.array(np.arange(n_rows), pa.timestamp(rng.choice(("s", "ns")))),
        lambda: pa.array(np.arange(n_rows), pa.duration("s")),
        lambda: pa.array(np.arange(n_rows, dtype=np.int32), pa.date32()),
        lambda: pa.array(map(Decimal, range(n_rows))),
        lambda: pa.array(rng.choices((0.0, -1.0, 1e308, np.nan, np.inf, 2.0**53), k=n_rows)),
        lambda: pa.array(rng.choices((0, -1, 2**62, 2**31, 10**6), k=n_rows)),
        lambda: pa.array(["a", "b", None] * n_rows)[:n_rows].dictionary_encode(),
        lambda: pa.array(np.arange(n_rows, dtype=np.float16)),
    ]
    if rng.random() < 0.1:
        n_rows = rng.choice((10**6, 3 * 10**7))
        table = pa.table({column: pa.nulls(n_rows, pa.float64()) for column in table.column_names})
    elif rng.random() < 0.1:
        index = pa.array(np.zeros(20_000, np.int32))
        text = pa.DictionaryArray.from_arrays(index, pa.array(["a" * rng.choice((10, 10**6))]))
        table = pa.table({column: text for column in table.column_names})
    elif rng.random() < 0.1:
        table = table.append_column(name, table[name])
    else:
        place = table.column_names.index(name)
        table = table.set_column(place, name, rng.choice(columns)())
    pq.write_table(table, path, compression="zstd", store_schema=rng.random() < 0.5)


def npz(folder: Path, rng: random.Random, name: str = "events.npz") -> None:
    """Replaces an array of an NPZ file by one of another kind, shape or order."""
    path = folder / name
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    if rng.random() < 0.3 and "lengths" in arrays:
        del arrays["lengths"]
        arrays["offsets"] = np.array([0, 9, 14, 26, 33])
    name = rng.choice(sorted(arrays))
    array, n_values = arrays[name], arrays[name].size
    kinds: list[Callable[[], Any]] = [
        lambda: array[::-1],
        lambda: array[:-1],
        lambda: array.T,
        lambda: np.asfortranarray(array),
        lambda: array[None],
        lambda: array.astype(
            rng.choice(("f2", "f4", "g", "i1", "u8", "c16", "?", "U5", "S5", "O"))
        ),
        lambda: array.astype(">f8"),
        lambda: np.zeros(array.shape, [("a", "f8"), ("b", "i4")]),
        lambda: np.full(array.shape, rng.choice((np.nan, np.inf, 1e308, -1.0, 1e18, 0.0))),
        lambda: np.full(array.shape, rng.choice((2**63 - 1, -(2**63), 0, -1))),
        lambda: np.full(array.shape, 2**64 - 1, np.uint64),
        lambda: np.zeros(0),
        lambda: np.zeros((0, 2**40)),
        lambda: np.zeros(rng.choice((10**6, 10**7))),
        lambda: np.array(["a" * rng.choice((1, 10_000))] * n_values),
        lambda: np.array(["1"] * n_values),
        lambda: np.array("2024", dtype="M8[s]"),
        lambda: np.array(1.0),
        lambda: np.append(np.ravel(array), 0),
    ]
    if rng.random() < 0.1:
        del arrays[name]
    else:
        arrays[name] = rng.choice(kinds)()
    (np.savez_compressed if rng.random() < 0.5 else np.savez)(path, **arrays)


def npz_sequences(folder: Path, rng: random.Random) -> None:
    npz(folder, rng, "sequences.npz")


def npz_objects(folder: Path, rng: random.Random) -> None:
    """Puts odd values among the arrays of a split."""
    path = folder / "splits.npz"
    with np.load(path, allow_pickle=True) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = rng.choice(sorted(arrays))
    held = list(arrays[name])
    held[rng.randrange(len(held))] = _nested(rng, 3)
    arrays[name] = rng.choice(
        (_objects(held), _objects(held * 1000), np.array(held[0], object), np.zeros((2, 0, 3)))
    )
    (np.savez_compressed if rng.random() < 0.5 else np.savez)(path, **arrays)


def _nested(rng: random.Random, depth: int) -> Any:
    leaf = depth == 0 or rng.random() < 0.3
    if leaf:
        array = np.array([[0.1, 1, 2, 3], [0.5, 0, 1, 2]])
        number = np.float64(2)
        return rng.choice(
            (*ODD[:40], array, array[0], array.astype(object), number, b"x", {1.5: 2})
        )
    items = [_nested(rng, depth - 1) for _ in range(rng.choice((0, 1, 3, 4, 4, 4)))]
    if rng.random() < 0.3:
        items *= rng.choice((2, 1000))
    return rng.choice((list, list, tuple, lambda x: dict(enumerate(x)), _objects))(items)


def _objects(items: list[Any]) -> Any:
    array = np.empty(len(items), object)
    array[:] = items
    return array


def pickled(folder: Path, rng: random.Random) -> None:
    """Puts odd values into nested lists of events, by any protocol."""
    path = folder / "events.pkl"
    content = pickle.loads(path.read_bytes())  # noqa: S301 - ours
    place, events = rng.randrange(len(content)), [list(row) for row in content[0]]
    match rng.randrange(6):
        case 0:
            events[rng.randrange(len(events))][rng.randrange(4)] = rng.choice(ODD)
            content[place] = events
        case 1:
            content[place] = _nested(rng, 3)
        case 2:
            content = _nested(rng, 4)
        case 3:
            content = content * rng.choice((2, 100, 10_000))
        case 4:
            content[place] = [_nested(rng, 1) for _ in events]
        case _:
            content[place] = _objects([np.array(row) for row in events])
    path.write_bytes(pickle.dumps(content, protocol=rng.randrange(6)))


def instructions(folder: Path, rng: random.Random) -> None:
    """Writes a pickle of instructions in no order, many of them to do harm."""
    parts = [b"\x80" + bytes([rng.randrange(7)])]
    favourites = [
        b"]",
        b"(",
        b"a",
        b"e",
        b"\x85",
        b"\x86",
        b"2",
        b"0",
        b"}",
        b"s",
        b"u",
        b"t",
        b"l",
    ]
    for _ in range(rng.choice((3, 20, 200))):
        if rng.random() < 0.6:
            parts.append(rng.choice(favourites) * rng.choice((1, 1, 1, 30, 3000)))
            continue
        code = rng.choice(pickletools.opcodes)
        parts.append(code.code.encode("latin1") + _argument(code, rng))
    (folder / "events.pkl").write_bytes(b"".join(parts) + b".")


def _argument(code: pickletools.OpcodeInfo, rng: random.Random) -> bytes:
    if code.arg is None:
        return b""
    if code.arg.n >= 0:
        return bytes(rng.choice((0, 0, 1, 127, 255, rng.randrange(256))) for _ in range(code.arg.n))
    if code.arg.n == pickletools.UP_TO_NEWLINE:
        names = (b"1", b"numpy", b"9" * 5000, b"os", b"'a'", b"I\x00", b"1e999", b"-1")
        lines = 2 if code.name in ("GLOBAL", "INST") else 1
        return b"".join(rng.choice(names) + b"\n" for _ in range(lines))
    width = {-2: "<B", -3: "<I", -4: "<I", -5: "<Q"}.get(code.arg.n, "<I")
    length = rng.choice((0, 3, 255, 2**31 - 1, 3 * 2**30, 2**62)) % 2 ** (
        8 * struct.calcsize(width)
    )
    return struct.pack(width, length) + b"abc"


FILES = (
    *("model/model.json", "model/weights.safetensors", "model/recalibration.json"),
    *("kept/manifest.json", "kept/model.json", "kept/weights.safetensors", "mixture/mixture.json"),
    *("mixture/mixture.safetensors", "training/epoch-00002/training.pt", "original.pkl"),
    *("training/epoch-00002/progress.json", "training/epoch-00002/weights.safetensors"),
    *("study.yaml", "events.csv", "events.parquet", "events.npz", "events.pkl", "samples.parquet"),
    *("events.jsonl", "sequences.npz", "splits.npz", "easytpp.json", "easytpp.pkl"),
)


def in_place_of_a_file(folder: Path, rng: random.Random) -> None:
    """Puts a pipe, a device, a folder, a loop, a link or nothing where a file should be."""
    path = folder / rng.choice(FILES)
    path.unlink()
    kinds: list[Callable[[], Any]] = [
        lambda: os.mkfifo(path),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.symlink_to("/dev/stdin"),
        lambda: path.symlink_to("/proc/self/mem"),
        lambda: path.symlink_to("/proc/kmsg"),
        lambda: path.symlink_to("/dev/tty"),
        lambda: path.mkdir(),
        lambda: path.symlink_to(path.name),
        lambda: path.symlink_to("/nowhere/at/all"),
        lambda: path.write_bytes(b""),
        lambda: path.write_bytes(b"\0" * 10),
        lambda: _socket(path),
        lambda: _sparse(path),
    ]
    if path.name != "recalibration.json":  # which need not be there
        kinds.append(lambda: None)
    rng.choice(kinds)()


def _socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket has a hundred letters at most
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**26)
