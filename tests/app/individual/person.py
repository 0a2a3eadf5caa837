"""What the tests of the Individual page share: waiting for it, and files of nobody in particular."""

from __future__ import annotations

import time

from phenviz.genome import Locus
from tests.app.test_uploads import piece
from tests.app.waiting import wait

VIEW = Locus("20", 2_000, 9_000)


def settle(page) -> None:
    """Let the background finish, and the page look at it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        page.session._tick()
        work = page.run.work
        if page.run.status not in ("loading", "empty") and (work is None or work.over):
            break
        time.sleep(0.05)
    page.session._tick()


def own_vcf(page) -> bytes:
    """Write two unphased variants of nobody in particular."""
    head = "##fileformat=VCFv4.2\n##contig=<ID=20,length=50021>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    head += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"
    reference = page.runtime.world.reference
    bases = [reference.sequence(Locus("20", at - 1, at)) for at in (5_000, 5_100)]
    lines = [
        f"20\t{position}\t.\t{base}\t{'A' if base != 'A' else 'C'}\t.\tPASS\t.\tGT\t0/1\n"
        for position, base in zip((5_000, 5_100), bases, strict=True)
    ]
    return (head + "".join(lines)).encode()


def drop(page, content: bytes) -> None:
    page.choice.drop._handle_msg({"begin": "me.vcf", "size": len(content)})
    page.choice.drop._handle_msg({"piece": piece(content), "name": "me.vcf", "number": 0})
    settle(page)


def vcf_of(page, *calls: tuple[int, int, str]) -> bytes:
    """Write SNVs and deletions: position, bases deleted, call."""
    lines = own_vcf(page).decode().splitlines()[:4]
    for position, deleted, call in calls:
        ref = page.runtime.world.reference.sequence(Locus("20", position - 1, position + deleted))
        alt = ref[0] if deleted else "A" if ref != "A" else "C"
        lines.append("\t".join(["20", str(position), ".", ref, alt, ".", "PASS", ".", "GT", call]))
    return ("\n".join(lines) + "\n").encode()


def apply_state(page, query) -> dict:
    there, problems = page._read(query)
    assert problems == []
    return {name: getattr(there, name) for name in there.param if name != "name"}


def settle_source(page) -> None:
    """Let the source be opened, and the page look at it."""
    wait(page, lambda: page.choice.picker.note != "Opening…")
