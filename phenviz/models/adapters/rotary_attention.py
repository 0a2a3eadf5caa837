"""Flashzoi's self-attention in plain PyTorch: weights and numbers as with flash-attn, on any device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from phenviz.errors import ModelError

# of Flashzoi: so many channels of a head are turned by their place, and how slowly the slowest turns
_TURNED, _BASE = 128, 20_000.0


class RotaryAttention(nn.Module):
    """Multihead attention with rotary positions [1]_ in which two heads share keys and values.

    Its parameters have the names that flash-attn gives them, so that published weights fit.

    Parameters
    ----------
    dim
        Channels in and out.
    heads
        Heads of the queries; an even number, of at least 128 channels each.

    References
    ----------
    .. [1] Su et al. 2021, arXiv 2104.09864.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if heads % 2 or dim % heads or dim // heads < _TURNED:
            raise ModelError(
                f"Flashzoi can't have {heads} heads for {dim:,} channels: its heads are an even number, of "
                f"{_TURNED} or more channels each: correct the config.json"
            )
        self.heads, self.shared, self.width = heads, heads // 2, dim // heads
        self.mha = nn.ModuleDict(
            {
                "Wqkv": nn.Linear(dim, self.width * (heads + 2 * self.shared)),
                "out_proj": nn.Linear(dim, dim),
            }
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Turn (B, L, dim) into (B, L, dim)."""
        parts = self.mha["Wqkv"](x).unflatten(-1, (-1, self.width)).transpose(1, 2)
        queries, keys, values = parts.split([self.heads, self.shared, self.shared], dim=1)
        keys, values = (one.repeat_interleave(self.heads // self.shared, dim=1) for one in (keys, values))
        found = F.scaled_dot_product_attention(_turned(queries), _turned(keys), values)
        mixed: torch.Tensor = self.mha["out_proj"](found.transpose(1, 2).flatten(2))
        return mixed


def _turned(x: torch.Tensor) -> torch.Tensor:
    """Turn the first channels of (B, heads, L, width) by their place: channel i with channel i + 64."""
    # as flash-attn has it: in float32 whatever the model's precision, as places are large numbers
    slowness = _BASE ** (torch.arange(0, _TURNED, 2, device=x.device, dtype=torch.float32) / _TURNED)
    places = torch.arange(x.shape[2], device=x.device, dtype=torch.float32)
    angles = torch.outer(places, 1 / slowness)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second, rest = x.split([_TURNED // 2, _TURNED // 2, x.shape[3] - _TURNED], dim=3)
    turned = (first * cosine - second * sine, first * sine + second * cosine, rest)
    return torch.cat(turned, dim=3)
