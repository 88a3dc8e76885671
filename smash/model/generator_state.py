"""State of PyTorch's own generators, which alone decide dropout."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class GlobalState:
    """State of PyTorch's own generators: the CPU's and each CUDA device's."""

    cpu: Tensor
    cuda: list[Tensor]

    @classmethod
    def current(cls) -> "GlobalState":
        """Returns the state as it is."""
        return cls(torch.get_rng_state(), torch.cuda.get_rng_state_all())

    @classmethod
    def seeded(cls, seed: int) -> "GlobalState":
        """Returns the state that a seed gives, leaving the generators as they are."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls.current()

    @classmethod
    def checked(cls, cpu: Any, cuda: Any) -> "GlobalState":
        """Returns a saved state.

        Raises:
            RuntimeError, TypeError: when generators cannot be put into it.
        """
        torch.Generator().set_state(cpu)
        if not isinstance(cuda, list) or not all(isinstance(state, Tensor) for state in cuda):
            raise TypeError("expected a list of the states of CUDA devices")
        return cls(cpu, cuda)

    def restore(self) -> None:
        """Puts the generators into this state."""
        torch.set_rng_state(self.cpu)
        if torch.cuda.is_available():
            torch.cuda.set_rng_state_all(self.cuda)
