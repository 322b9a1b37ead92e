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


def hint_loss(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of the kinds of hints that are known of a picture.

    logits, target: (n, kinds, h, w); target in 0..1; known: (n, kinds), 0 or 1.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean((2, 3))
    return (cross_entropy * known).sum(1)


def feature_loss(features: Tensor, target: Tensor) -> Tensor:
    """Squared distance of (n, channels, h, w) features, whose targets have a variance of 1 over all channels."""
    return ((features - target) ** 2).sum(1).mean((1, 2))
