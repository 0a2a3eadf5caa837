"""Bases as small numbers and as one-hot channels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ALPHABET = "ACGT"
N_CODE = 4
# the letter of each code
LETTERS = np.array(list(ALPHABET + "N"))

_CODE_OF_BYTE = np.full(256, N_CODE, dtype=np.uint8)
for _code, _base in enumerate(ALPHABET):
    _CODE_OF_BYTE[ord(_base)] = _CODE_OF_BYTE[ord(_base.lower())] = _code
_BYTE_OF_CODE = np.frombuffer(b"ACGTN", dtype=np.uint8)
# row N is all zero, so that an unknown base adds nothing to a convolution
_ONE_HOT_ROWS = np.vstack([np.eye(4, dtype=np.float32), np.zeros((1, 4), dtype=np.float32)])
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def encode(sequence: str | bytes) -> NDArray[np.uint8]:
    """Turn bases into codes: A, C, G, T are 0 to 3, anything else is 4.

    Parameters
    ----------
    sequence
        L bases, upper or lower case.

    Returns
    -------
    NDArray[np.uint8]
        Shape (L,).
    """
    raw = sequence.encode("ascii", "replace") if isinstance(sequence, str) else sequence
    return _CODE_OF_BYTE[np.frombuffer(raw, dtype=np.uint8)]


def decode(codes: NDArray[np.uint8]) -> str:
    """Turn codes, shape (L,), into bases."""
    return _BYTE_OF_CODE[codes].tobytes().decode("ascii")


def one_hot(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn codes into channels A, C, G, T; N is zero in all four.

    Parameters
    ----------
    codes
        Shape (..., L).

    Returns
    -------
    NDArray[np.float32]
        Shape (..., 4, L).
    """
    return np.ascontiguousarray(np.moveaxis(_ONE_HOT_ROWS[codes], -1, -2))


def reverse_complement(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Read codes, shape (..., L), on the other strand."""
    return _COMPLEMENT[codes][..., ::-1]
