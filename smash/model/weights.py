"""Weights from strangers: tensors of the names, shapes and kinds that a model has, all finite."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from smash.errors import CheckpointError
from smash.untrusted_files import regular_size

_MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.linspace)
_AS_LARGE = 4
_ALWAYS = 4 * 2**20


@contextmanager
def no_larger_than(path: Path) -> Iterator[None]:
    """While it lasts, a module can be made that is about as large as a file of its weights.

    Sizes that a description names are so believed no further than there are weights for them.

    Raises:
        CheckpointError: when the module is going to be larger, or there is no such file.
    """
    size = regular_size(path, CheckpointError)
    try:
        with _Allowance(_AS_LARGE * size + _ALWAYS):
            yield
    except (RuntimeError, MemoryError, OverflowError, ValueError, TypeError) as error:
        raise _damaged(path, "of a model of other sizes") from error


class _Allowance(TorchFunctionMode):
    """Counts the memory of tensors as they are made, which is before they are filled."""

    def __init__(self, n_bytes: int) -> None:
        super().__init__()
        self.left = n_bytes

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        if func in _MAKERS:
            self.left -= made.nbytes
            if self.left < 0:
                raise MemoryError
        return made


def growing_tables(model: nn.Module) -> set[str]:
    """Returns the names of tables whose number of rows is the training data's."""
    return {
        f"{at}.{table}"
        for at, module in model.named_modules()
        for table in getattr(module, "growing", ())
    }


def read_weights(
    path: Path,
    expected: Mapping[str, Tensor],
    growing: Collection[str] = (),
    optional: Collection[str] = (),
    called: Callable[[str], str] = str,
) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file, which are those of `expected` by name and shape.

    Nothing is read before all of it is known to fit. The first dimension of tables in `growing` is
    the file's to say. Tensors in `optional` that it lacks are given as expected. `called` gives a
    name in the file its present one; tables without content that are not expected are left out.

    Raises:
        CheckpointError: naming the file and the first tensor that does not belong.
    """
    regular_size(path, CheckpointError)
    try:
        with safe_open(path, framework="pt") as file:
            in_file = file.keys()
            names = {called(name): name for name in in_file}
            for name in names.keys() - expected.keys():
                if 0 in file.get_slice(names[name]).get_shape():
                    del names[name]
            lacking = set(optional) - names.keys()
            if odd := sorted(names.keys() ^ (expected.keys() - lacking)):
                which = "lacks" if odd[0] in expected else "has another tensor,"
                raise _damaged(path, f"it {which} {odd[0][:80]} ({len(odd)} differ)")
            for name, tensor in expected.items():
                if name in lacking:
                    continue
                shape = tuple(file.get_slice(names[name]).get_shape())
                first = 1 if name in growing else 0
                if len(shape) != tensor.ndim or shape[first:] != tuple(tensor.shape[first:]):
                    raise _damaged(path, f"{name} is {shape}, not {tuple(tensor.shape)}")
            stored = {
                name: _as(file.get_tensor(own), expected[name], path, name)
                for name, own in names.items()
            }
            return stored | {name: expected[name] for name in lacking}
    except (SafetensorError, RuntimeError, OSError, ValueError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from error


def _as(tensor: Tensor, expected: Tensor, path: Path, name: str) -> Tensor:
    if tensor.dtype != expected.dtype:
        raise _damaged(path, f"{name} holds {tensor.dtype}, not {expected.dtype}")
    check_finite({name: tensor}, path)
    return tensor


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Checks that every number is one; raises CheckpointError naming the tensor."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{path}: {name[:80]} holds numbers that are none (NaN or infinite); get the "
                "weights again, or train anew"
            )


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{path}: damaged, or not the weights of this model: {why}")
