"""Ways in which files get damaged on their way to a user."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable

import numpy as np

Damage = Callable[[bytes, np.random.Generator], bytes]

_HUGE = (b"99999999999999999999", b"1e400", b"-7", b"2147483648", b"1e300", b"0", b"NaN", b"-inf", b"1.5")
_WORDS = (b"chr20", b"", b".", b"\xe9\xe8", b"'", b'"', b";", b"#", b"<DEL>", b"../../x", b"=1+1", b"\x00")


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    """End the file anywhere."""
    return data[: int(rng.integers(len(data)))] if data else data


def flip(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes to others."""
    found = bytearray(data)
    for place in rng.integers(len(found), size=int(rng.integers(1, 9))) if found else ():
        found[place] ^= int(rng.integers(1, 256))
    return bytes(found)


def overwrite(data: bytes, rng: np.random.Generator) -> bytes:
    """Fill a block with zero bytes, as a disk that failed does."""
    start = int(rng.integers(len(data) + 1))
    end = min(len(data), start + int(rng.integers(1, 600)))
    return data[:start] + bytes(end - start) + data[end:]


def empty(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave nothing, or blank lines only."""
    return bytes(rng.choice([b"", b"\n", b" \n\n"]))


def double(data: bytes, rng: np.random.Generator) -> bytes:
    """Append the file to itself."""
    return data + data


def renamed(data: bytes, rng: np.random.Generator) -> bytes:
    """Leave the bytes alone: it is the name that the harness changes, to one of another kind."""
    return data


def utf16(data: bytes, rng: np.random.Generator) -> bytes:
    """Save as a spreadsheet does that calls this "Unicode text"."""
    return data.decode("latin-1").encode("utf-16")


def byte_order_mark(data: bytes, rng: np.random.Generator) -> bytes:
    """Begin with the mark that Windows' editors write."""
    return b"\xef\xbb\xbf" + data


def windows_lines(data: bytes, rng: np.random.Generator) -> bytes:
    """End lines as Windows does, or as old Macs did."""
    return data.replace(b"\n", bytes(rng.choice([b"\r\n", b"\r"])))


def join_lines(data: bytes, rng: np.random.Generator) -> bytes:
    """Lose the end of a line."""
    ends = [match.start() for match in re.finditer(b"\n", data)]
    if not ends:
        return data
    place = int(rng.choice(ends))
    return data[:place] + data[place + 1 :]


def cut_line(data: bytes, rng: np.random.Generator) -> bytes:
    """Keep only the first word, or half, of one line."""

    def shorten(line: bytes) -> bytes:
        return line.split(b"\t")[0] if rng.random() < 0.5 else line[: len(line) // 2]

    return _on_one_line(data, rng, shorten)


def add_line(data: bytes, rng: np.random.Generator) -> bytes:
    """Slip in a line that isn't one of the file's: blank, one word, a comment, a very long one."""
    line = bytes(rng.choice([b"", b" ", b"word", b"# a comment", b"\t\t\t\t", b"ACGT" * 5_000, b"\x00"]))
    return _on_one_line(data, rng, lambda own: own + b"\n" + line)


def repeat_line(data: bytes, rng: np.random.Generator) -> bytes:
    """List one line twice."""
    return _on_one_line(data, rng, lambda line: line + b"\n" + line)


def move_line(data: bytes, rng: np.random.Generator) -> bytes:
    """Put one line where another one is."""
    lines = data.split(b"\n")
    first, second = rng.integers(len(lines), size=2)
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def lose_field(data: bytes, rng: np.random.Generator) -> bytes:
    """Drop one field of one line."""

    def drop(line: bytes) -> bytes:
        separator, fields = _fields(line)
        del fields[int(rng.integers(len(fields)))]
        return separator.join(fields)

    return _on_one_line(data, rng, drop)


def swap_columns(data: bytes, rng: np.random.Generator) -> bytes:
    """Exchange two columns, in every line or below the header only."""
    lines = data.split(b"\n")
    width = max(len(_fields(line)[1]) for line in lines)
    first, second = (int(column) for column in rng.integers(width, size=2))
    below = int(rng.integers(2))
    seen = 0
    for number, line in enumerate(lines):
        separator, fields = _fields(line)
        seen += len(fields) == width
        if len(fields) > max(first, second) and seen > below:
            fields[first], fields[second] = fields[second], fields[first]
            lines[number] = separator.join(fields)
    return b"\n".join(lines)


def odd_number(data: bytes, rng: np.random.Generator) -> bytes:
    """Write a huge, negative or broken number in place of one."""
    numbers = list(re.finditer(rb"(?<=[\t ,=:\n])\d+(\.\d+)?(?=[\t ,;\n])", data))
    if not numbers:
        return data
    found = numbers[int(rng.integers(len(numbers)))]
    return data[: found.start()] + bytes(rng.choice(_HUGE)) + data[found.end() :]


def odd_word(data: bytes, rng: np.random.Generator) -> bytes:
    """Write something else into one field."""

    def change(line: bytes) -> bytes:
        separator, fields = _fields(line)
        fields[int(rng.integers(len(fields)))] = _WORDS[int(rng.integers(len(_WORDS)))]
        return separator.join(fields)

    return _on_one_line(data, rng, change)


def gzipped(damage: Damage) -> Damage:
    """Damage what a gzip file holds, and compress it again."""

    def inside(data: bytes, rng: np.random.Generator) -> bytes:
        return gzip.compress(damage(gzip.decompress(data), rng), mtime=0)

    inside.__name__ = f"{damage.__name__}_inside"
    return inside


ANY: tuple[Damage, ...] = (cut, flip, overwrite, empty, double, renamed)
TEXT: tuple[Damage, ...] = (
    *ANY, utf16, byte_order_mark, windows_lines, join_lines, cut_line, add_line, repeat_line, move_line,
    lose_field, swap_columns, odd_number, odd_word,
)  # fmt: skip


def _fields(line: bytes) -> tuple[bytes, list[bytes]]:
    separator = next((sep for sep in (b"\t", b",", b" ") if sep in line), b"\t")
    return separator, line.split(separator)


def _on_one_line(data: bytes, rng: np.random.Generator, change: Callable[[bytes], bytes]) -> bytes:
    lines = data.split(b"\n")
    place = int(rng.integers(len(lines)))
    return b"\n".join([*lines[:place], change(lines[place]), *lines[place + 1 :]])
