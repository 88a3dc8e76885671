"""The method written down plainly, from the same weights: what the fast paths must equal."""

import torch
import torch.nn.functional as F
from torch import Tensor

from smash.model.score_network import Evaluation, ScoreNet
from smash.model.time_branch import EPSILON


def plain_evaluation(network: ScoreNet, z: Tensor, context: Tensor) -> Evaluation:
    """The score network at z (N, Q, 3), layer by layer, its time derivative by autograd."""
    t = z[..., :1].detach().requires_grad_()
    with torch.enable_grad():
        context = context.unsqueeze(1)
        temporal, spatial, joint, *mark = context.split(network.cond_dim, dim=-1)
        if mark:
            temporal = temporal + mark[0]
        time, location = t, z[..., 1:]
        for i in range(3):
            shared = network.time.joint[i](joint)
            time = network.time.trunk[i](time) + shared + network.time.temporal[i](temporal)
            location = (
                network.location.trunk[i](location) + shared + network.location.spatial[i](spatial)
            )
            time, location = F.relu(time), F.relu(location)
        time, location = network.time.trunk[3](time), network.location.trunk[3](location)
        first, last = network.time.head
        intensity = F.softplus(last(F.relu(first(time))))
        slopes = [
            torch.autograd.grad(intensity[..., k].sum(), t, create_graph=True)[0]
            for k in range(network.n_marks)
        ]
        whole = network.location.whole(context)
        mixtures = []
        for mixture in (network.location.first_share, network.location.second_share):
            share = mixture(whole).softmax(-1)
            mixtures.append(share[..., :1] * time + share[..., 1:] * location)
        first, last = network.location.head
        score = last(F.relu(first(torch.cat(mixtures, dim=-1))))
    return Evaluation(intensity, torch.cat(slopes, dim=-1), score)


def plain_loss(
    network: ScoreNet,
    context: Tensor,
    z: Tensor,
    mark: Tensor,
    noise: Tensor,
    sigma: Tensor,
    loss_lambda: float,
) -> Tensor:
    """The published loss of all events at once, the time score of the true mark by autograd."""
    evaluation = plain_evaluation(network, z[:, None] + sigma * noise, context)
    marks = mark[:, None].expand(noise.shape[:2])
    denoising = 0.5 * (sigma * evaluation.score(marks) + noise).square().mean()
    probability = evaluation.mark_probability().gather(-1, marks.unsqueeze(-1))
    return denoising - loss_lambda * (probability + EPSILON).log().mean()
