"""The contract of backbones: kept by ours, and each way to break it is found, by its own clause."""

from __future__ import annotations

import threading
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from phenviz.models.contract import CLAUSES, BrokenClause, Trial, check_backbone
from tests.models.test_adapters import FakeBorzoi, FakeEnformer
from tests.phenformer_toys import GlobalToy
from tests.toys import CONTEXTS, toy_backbone


class Good(nn.Module):
    """A local backbone that keeps all clauses: 64 bp bins that see 68 bases."""

    name, weights_hash, units = "good", "abc", "reads"
    window, bin_size, receptive_field = 1_024, 64, 68
    contexts = CONTEXTS

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv1d(4, 6, 5, padding=2), nn.Conv1d(6, 3, 1)
        self.eval()

    def encode(self, x):
        return nn.functional.max_pool1d(torch.tanh(self.conv(x)), 64)

    def activity(self, embedding):
        return softplus(self.head(embedding))

    def forward(self, x):
        return self.activity(self.encode(x))


class Nameless(Good):
    name = ""


class Unhashed(Good):
    weights_hash = "unsaved"


class Ragged(Good):
    window = 1_000


class Half(Good):
    receptive_field = 68.5


class TwoContexts(Good):
    contexts = CONTEXTS[:2]


class Twice(Good):
    contexts = (CONTEXTS[0], *CONTEXTS[:2])


class Listed(Good):
    contexts = ("Ery", "Mono", "B")


class Cropping(Good):
    def encode(self, x):
        return super().encode(x)[:, :, 1:-1]


class OtherCall(Good):
    def forward(self, x):
        return 2 * super().forward(x)


class Short(Good):
    def encode(self, x):
        return nn.functional.pad(super().encode(x), (0, 1 if x.shape[2] < 130 else 0))


class Logarithm(Good):
    def activity(self, embedding):
        return self.head(embedding)


class Nan(Good):
    def activity(self, embedding):
        return super().activity(embedding) / 0 * 0


class Constant(Good):
    def encode(self, x):
        return super().encode(x * 0)


class Normed(Good):
    def encode(self, x):
        return super().encode(x / x.sum(1, keepdim=True))


class InPlace(Good):
    def encode(self, x):
        x += 0.1
        return super().encode(x)


class InPlaceHead(Good):
    def activity(self, embedding):
        return super().activity(embedding.mul_(2))


class Dropping(Good):
    def encode(self, x):
        return nn.functional.dropout(super().encode(x), 0.5, training=True)


class Training(Good):
    def __init__(self):
        super().__init__()
        self.train()


class BatchStatistics(Good):
    def encode(self, x):
        x = super().encode(x)
        return x - x.mean(0, keepdim=True) / 2


class SeesMore(Good):
    receptive_field = 64

    def encode(self, x):
        return nn.functional.max_pool1d(torch.tanh(self.conv(x.roll(70, 2))), 64)


class Attends(Good):
    def encode(self, x):
        x = super().encode(x)
        return x + x.mean(2, keepdim=True)


class Positions(Good):
    def encode(self, x):
        x = super().encode(x)
        return x + torch.arange(x.shape[2], device=x.device) / 100


class Detached(Good):
    def encode(self, x):
        return super().encode(x.detach())


class Caching(Good):
    """Keeps what it made without gradients, which autograd then refuses."""

    kept = None

    def encode(self, x):
        if self.kept is None:
            self.kept = torch.ones(1, 6, 1, device=x.device, dtype=x.dtype) * 2
            self.kept = self.kept * self.conv.weight.sum()
        return super().encode(x) * self.kept


class Lasting(Good):
    """Keeps the last input between its own lines."""

    def encode(self, x):
        self.last = x
        if threading.current_thread() is not threading.main_thread():
            # long enough for another one to come in between, however busy the machine is
            time.sleep(0.5)
        return super().encode(self.last)


class Loose(Good):
    def __init__(self):
        super().__init__()
        self.scale = torch.full((6, 1), 2.0)

    def encode(self, x):
        return super().encode(x) * self.scale


class Elsewhere(Good):
    def encode(self, x):
        return super().encode(x) * torch.full((6, 1), 2.0)


class Single(Good):
    def encode(self, x):
        return super().encode(x).float()


class Locked(Good):
    def __deepcopy__(self, memo):
        return toy_backbone()


def broken(backbone):
    return {finding.clause: finding.problem for finding in check_backbone(backbone) if finding.problem}


def test_a_good_backbone_keeps_every_clause():
    assert broken(Good()) == {}


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_each_clause_is_a_check_that_a_test_can_call(clause):
    clause(Trial(Good(), seed=3))
    assert clause.__doc__ and clause.__doc__.endswith(".")


@pytest.mark.parametrize("seed", range(3))
def test_our_own_backbones_keep_the_contract(seed):
    local, whole = toy_backbone(seed), GlobalToy(toy_backbone(seed)).eval()
    local.weights_hash = "abc"
    assert broken(local) == {}
    assert broken(whole) == {}


def test_adapted_backbones_keep_the_contract():
    from phenviz.models.adapters.borzoi import wrap_borzoi
    from phenviz.models.adapters.enformer import wrap_enformer
    from phenviz.models.adapters.tracks import ModelTrack

    tracks = [ModelTrack(0, "a", "DNASE", "a"), ModelTrack(2, "b", "CAGE", "b")]
    for wrapped in (
        wrap_enformer(FakeEnformer(), tracks, window=2_048),
        wrap_borzoi(FakeBorzoi(), tracks, window=2_048),
    ):
        wrapped.weights_hash = "abc"
        assert broken(wrapped) == {}


@pytest.mark.parametrize(
    ("kind", "clause", "words"),
    [
        (Nameless, "attributes", "name is ''"),
        (Unhashed, "attributes", "weights_hash is 'unsaved'"),
        (Ragged, "attributes", "window 1,000 is no multiple of bin_size 64"),
        (Half, "attributes", "receptive_field is 68.5"),
        (TwoContexts, "contexts", "2 contexts for 3 channels"),
        (Twice, "contexts", r"two contexts are named \['Ery'\]"),
        (Listed, "contexts", "a tuple of phenviz.Context"),
        (Cropping, "shapes", "without cropping"),
        (OtherCall, "shapes", r"calling it isn't activity\(encode\(x\)\)"),
        (Short, "lengths", "1 bins of sequence become 2"),
        (Logarithm, "values", "as low as -"),
        (Nan, "values", "NaN or infinity"),
        (Constant, "reads_sequence", "are the weights loaded"),
        (Normed, "unknown_bases", "N in the middle gives NaN"),
        (InPlace, "input_is_kept", "encode changes its input"),
        (InPlaceHead, "input_is_kept", "activity changes its input"),
        (Dropping, "determinism", "dropout"),
        (Training, "determinism", r"call .eval\(\)"),
        (BatchStatistics, "batch_invariance", "a third sequence in the batch changes the other two"),
        (SeesMore, "receptive_field", "further away than receptive_field = 64"),
        (Attends, "receptive_field", r"or None \(global\)"),
        (Positions, "tiles", "use no position within the window"),
        (Detached, "gradients", "does not require grad|no gradient reaches"),
        (Caching, "gradients", "[Ii]nference tensors"),
        (Lasting, "threads", "keep nothing of a call in the module"),
        (Locked, "copies", "a deep copy gives other numbers"),
        (Loose, "moves", "the tensor scale is a plain attribute"),
        (Elsewhere, "moves", "stays on the CPU"),
        (Single, "double_precision", "convert nothing to float32"),
    ],
)
def test_each_way_to_break_it_is_found_by_its_clause_with_the_fix(kind, clause, words):
    found = broken(kind())
    assert clause in found, found
    with pytest.raises((BrokenClause, Exception), match=words):
        next(own for own in CLAUSES if own.__name__ == clause)(Trial(kind()))
