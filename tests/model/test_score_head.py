"""A score head by itself, on random tensors."""

import torch
import torch.nn.functional as F

from smash.model.climatology_base import ClimatologyPlaces
from smash.model.location_head import Context, Given
from smash.model.score_head import ScoreHead

SIZE, UNITS = 8, 16


def context(n: int) -> Context:
    whole = torch.randn(n, 4 * SIZE).double()
    temporal, spatial, joint, mark = whole.split(SIZE, dim=-1)
    return Context(whole, temporal + mark, spatial, joint, whole[:, :0])


def test_the_folded_maps_are_the_maps_one_after_the_other():
    torch.manual_seed(0)
    head = ScoreHead(SIZE, 4, UNITS).double()
    time_last, known = torch.nn.Linear(UNITS, UNITS).double(), context(5)
    joint_terms = [torch.randn(5, UNITS).double() for _ in range(3)]
    terms = head.terms(known, joint_terms, time_last)
    x, hidden_time = torch.randn(5, 7, 2).double(), torch.rand(5, 7, UNITS).double()
    mixed = torch.baddbmm(terms.bias, hidden_time, terms.weight)
    found = head.score(x, Given(x[..., :1], mixed), terms)

    time, location = time_last(hidden_time), x
    *layers, last = head.trunk
    for layer, own, joint in zip(layers, head.spatial, joint_terms, strict=True):
        location = F.relu(layer(location) + (own(known.spatial) + joint).unsqueeze(1))
    location, whole = last(location), head.whole(known.whole).unsqueeze(1)
    read = []
    for mixture in (head.first_share, head.second_share):
        share = mixture(whole).softmax(-1)
        read.append(share[..., :1] * time + share[..., 1:] * location)
    first, last = head.head
    expected = last(F.relu(first(torch.cat(read, dim=-1))))
    torch.testing.assert_close(found, expected)


def test_started_at_its_base_it_is_the_base_whatever_the_context():
    torch.manual_seed(0)
    base = ClimatologyPlaces(0.1)
    base.score.normal_()
    head = ScoreHead(SIZE, 4, UNITS, base).double()
    head.start_at_base()
    terms = head.terms(
        context(5), [torch.zeros(5, UNITS).double()] * 3, torch.nn.Linear(16, 16).double()
    )
    x, mixed = torch.rand(5, 7, 2).double(), torch.randn(5, 7, UNITS).double()
    found = head.score(x, Given(x[..., :1], mixed), terms)
    torch.testing.assert_close(found, base.score_at(x))
    start = head.draw_start((5, 7), torch.Generator().manual_seed(0))
    assert start.shape == (5, 7, 2)
    assert ScoreHead(SIZE, 4).draw_start((5, 7), torch.Generator()) is None
