"""What the network is taught by: one loss per head, each (n,): one number a picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def objectness_loss(logits: Tensor, target: Tensor, edge_weight: float = 2.0) -> Tensor:
    """Binary cross-entropy, heavier near boundaries, + half of the soft IoU loss.

    logits, target: (n, h, w); target in 0..1. The weighting is that of F3Net (Wei et al., AAAI 2020),
    with a smaller window. Pictures without foreground have no IoU: instead of it, the hundredth of their
    cells that is brightest counts once more, because a small bright spot is enough for a wrong box.
    """
    around = F.avg_pool2d(target[:, None], 9, 1, 4, count_include_pad=False)[:, 0]
    weight = 1 + edge_weight * (around - target).abs()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    cross_entropy = (weight * cross_entropy).sum((1, 2)) / weight.sum((1, 2))
    p = logits.sigmoid()
    both = (p * target).sum((1, 2))
    either = (p + target - p * target).sum((1, 2))
    brightest = F.softplus(logits.flatten(1).topk(max(logits[0].numel() // 100, 1)).values).mean(1)
    has_foreground = target.sum((1, 2)) > 1
    return cross_entropy + 0.5 * torch.where(has_foreground, 1 - (both + 1) / (either + 1), 0.5 * brightest)


def attention_loss(logits: Tensor, density: Tensor) -> Tensor:
    """KL divergence + half of (1 - CC), as most saliency models since EML-NET combine them.

    logits, density: (n, h, w); density sums to 1 per picture.
    """
    log_p = logits.flatten(1).log_softmax(1)
    q = density.flatten(1)
    kl = (q * ((q + 1e-9).log() - log_p)).sum(1)
    p = log_p.exp()
    p_centred, q_centred = p - p.mean(1, keepdim=True), q - q.mean(1, keepdim=True)
    cc = (p_centred * q_centred).sum(1) / (p_centred.norm(dim=1) * q_centred.norm(dim=1) + 1e-9)
    return kl + 0.5 * (1 - cc)


def fixation_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Negative log likelihood of a fixation, in nats, as in DeepGaze II (Kuemmerer et al., ICCV 2017).

    logits, shares: (n, cells); shares of the fixations in each cell, 1 per picture.
    """
    return -(shares * logits.log_softmax(1)).sum(1)


def face_loss(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of where faces are, and of their edges, each one number for the batch.

    logits: (n, 5, h, w); target: (n, 6, h, w), the labels of `training.datasets.targets.face_targets`. The first is
    the focal loss of CenterNet (Zhou et al., "Objects as points", 2019), by number of faces; the second
    1 - generalised intersection over union (Rezatofighi et al., CVPR 2019), a mean over cells near faces' centres.
    """
    heat, counts, edges = target[:, 0], target[:, 1], target[:, 2:]
    centre = heat >= 1
    log_p, log_not = F.logsigmoid(logits[:, 0]), F.logsigmoid(-logits[:, 0])
    p = logits[:, 0].sigmoid()
    found = torch.where(centre, (1 - p) ** 2 * log_p, (1 - heat) ** 4 * p**2 * log_not) * counts
    where = -found.sum() / (centre * counts).sum().clamp(min=1)
    near = (edges.sum(1) > 0) & (counts > 0)
    missed = 1 - _generalised_overlap(logits[:, 1:].sigmoid(), edges)
    return where, torch.where(near, missed, 0).sum() / near.sum().clamp(min=1)


def text_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Binary cross-entropy, heavier on text, + the Dice loss of all pictures together; one number for the batch.

    logits: (n, h, w); target: (n, 2, h, w), the labels of `training.datasets.targets.text_targets`. Few cells are text,
    so that a loss by pictures would hardly count them (as in DB: Liao et al., AAAI 2020).
    """
    covered, counts = target[:, 0], target[:, 1]
    weight = counts * (1 + 4 * covered)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, covered, reduction="none")
    p = logits.sigmoid() * counts
    both = 2 * (p * covered).sum() + 1
    return (weight * cross_entropy).sum() / weight.sum().clamp(min=1) + 1 - both / (p.sum() + covered.sum() + 1)


def _generalised_overlap(a: Tensor, b: Tensor) -> Tensor:
    """Of boxes given as (n, 4, ...) distances of left, top, right and bottom edge from one point: (n, ...)."""

    def area(edges: Tensor) -> Tensor:
        return (edges[:, 0] + edges[:, 2]).clamp(min=1e-6) * (edges[:, 1] + edges[:, 3]).clamp(min=1e-6)

    shared, around = area(torch.minimum(a, b)), area(torch.maximum(a, b))
    together = area(a) + area(b) - shared
    return shared / together - (around - together) / around
