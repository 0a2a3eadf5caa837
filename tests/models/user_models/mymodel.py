"""Torch classes as users write them: they know nothing of PhenViz."""

import torch
from layers import pooled
from torch import nn


class LocalNet(nn.Module):
    """Forward only; a bin of 64 bases sees its own and 3 + 2 * 16 on each side."""

    def __init__(self, channels=6, outputs=3, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem = nn.Conv1d(4, channels, 7, padding=3)
        self.mix = nn.Conv1d(channels, channels, 5, padding=2)
        self.head = nn.Conv1d(channels, outputs, 1)

    def forward(self, x):
        x = pooled(torch.tanh(self.stem(x)), 16)
        return nn.functional.softplus(self.head(pooled(torch.tanh(self.mix(x)), 4)))


class TwoSteps(LocalNet):
    """Shows its embedding, and says all facts by itself."""

    window, bin_size, receptive_field = 1_024, 64, 134
    contexts = ("liver", "heart", "lung")
    units = "reads"

    def encode(self, x):
        return pooled(torch.tanh(self.mix(pooled(torch.tanh(self.stem(x)), 16))), 4)

    def activity(self, embedding):
        return nn.functional.softplus(self.head(embedding))


class GlobalNet(TwoSteps):
    """Every bin sees the whole window."""

    receptive_field = None

    def encode(self, x):
        x = super().encode(x)
        return x + x.mean(2, keepdim=True)


def make_local(**options):
    return LocalNet(**options)


number = 3
