"""Muon, for the filters of convolutions: momentum whose singular values are all brought near to one.

Keller Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024); the size of a step is
that of Liu et al., "Muon is scalable for LLM training" (2025), so that learning rate and weight decay are
AdamW's.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

_A, _B, _C = 3.4445, -4.7750, 2.0315  # the quintic that pulls singular values fastest towards 0.7..1.2


class Muon(torch.optim.Optimizer):
    """Steps for parameters of two or more dimensions, each taken as a matrix (outputs, everything else)."""

    def __init__(
        self, params: Iterable[Tensor], lr: float, weight_decay: float, momentum: float = 0.95, rounds: int = 5
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "rounds": rounds})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                kept = state["momentum"]
                kept.lerp_(p.grad, 1 - group["momentum"])
                ahead = p.grad.lerp(kept, group["momentum"])
                update = orthogonal(ahead.flatten(1), group["rounds"])
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update.view(p.shape), alpha=-group["lr"] * 0.2 * max(update.shape) ** 0.5)


def orthogonal(matrix: Tensor, rounds: int) -> Tensor:
    """A matrix (rows, columns) with its singular values brought near to one, by Newton and Schulz's iteration."""
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        square = x @ x.T
        x = _A * x + (_B * square + _C * square @ square) @ x
    return (x.T if tall else x).to(matrix.dtype)
