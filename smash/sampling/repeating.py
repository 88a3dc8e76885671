"""A step done many times; on a GPU it can be recorded once and replayed as a CUDA graph.

A chain's step is a few dozen small kernels, and starting them takes longer than running them
where few chains go at a time. A graph starts them all at once.
"""

from collections.abc import Callable

import torch

from smash.sampling.chains import Chains

WARM_UP = 3


def repeated(
    step: Callable[[Chains], Chains],
    chains: Chains,
    times: int,
    generator: torch.Generator,
    recorded: bool = False,
) -> Chains:
    """Returns `chains` after `step` was done `times` times.

    Args:
        step: returns chains of the same shapes, leaving its argument as it is.
        chains: where to start.
        times: how often.
        generator: the source of all the step's noise, whose state a graph has to take along.
        recorded: whether steps are replayed from a CUDA graph; on a CPU they are done in the same
            places of memory, but one by one.
    """
    if not recorded:
        for _ in range(times):
            chains = step(chains)
        return chains
    places = _copied(chains)

    def advance() -> None:
        _put(places, step(places))

    again = advance
    if chains.z.is_cuda:
        again = _graph_of(advance, generator)
        _put(places, chains)  # back from where the steps that warm it up went
    for _ in range(times):
        again()
    return places


def _graph_of(advance: Callable[[], None], generator: torch.Generator) -> Callable[[], None]:
    """Returns what replays `advance`, which has been done a few times by then."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARM_UP):
            advance()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        advance()
    return graph.replay


def _copied(chains: Chains) -> Chains:
    z, mark, probability = chains
    return Chains(
        z.clone(),
        None if mark is None else mark.clone(),
        None if probability is None else probability.clone(),
    )


def _put(places: Chains, chains: Chains) -> None:
    for place, value in zip(places, chains, strict=True):
        if place is not None and value is not None:
            place.copy_(value)
