"""What one session looks at: parameters only, no widgets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import ClassVar

import param

from phenviz.app.shell.run_choices import BASELINES, METHODS, STEPS
from phenviz.errors import PhenvizError
from phenviz.genome.contexts import Context, without_reporters
from phenviz.genome.locus import Locus, shown_contig

THEMES = ("light", "dark")
ACTIVITY_STYLES = ("heatmap", "areas")
LOGOS = ("focus", "stacked", "difference")
WINDOWS = ("view", "gene")
TARGETS = ("activity", "gene", "trait")
MODES = ("exact", "sum")
INDIVIDUAL_HIDDEN = ("elements",)
EXPRESSION_COLUMNS = ("organs", "tissues")
UNPHASED = ("refuse", "as listed", "random")
# the source that stands for what the tab itself has handed over
UPLOAD = "upload"
_MARK = re.compile(r"[^:\s]+:[1-9]\d{0,9}:[ACGTNacgtn]+:[ACGTNacgtn]+")
# a page opens with all contexts of a model that has at most so many; of others with about so few
_MOST_AT_FIRST, _FEW_AT_FIRST = 100, 40
# longer lists don't fit into an address
_LONGEST_LINES = 1_500
# CHROM, POS, ID, REF and ALT; the first two tell where a line of a VCF begins
_VCF_COLUMNS = 5
_BEFORE_VCF_LINE = re.compile(r";(?=[^\s;]+\t\d+\t)")


class PageState(param.Parameterized):
    """State that all pages share, and that a link from one page to another keeps.

    Components read it, draw it and write what the user does back into it; none knows another. An address
    holds it: `query` writes the values of a URL, and `take` reads them back.
    """

    locus = param.ClassSelector(class_=Locus, doc="What the tracks show; changes while the user drags.")
    settled = param.ClassSelector(class_=Locus, doc="The locus once it stopped moving: for what is costly.")
    contexts = param.ClassSelector(
        class_=tuple, default=(), doc="Names of the ticked contexts, in the model's order."
    )
    focus = param.String(default="", doc="Name of the context whose bases are shown and explained.")
    theme = param.Selector(default="light", objects=list(THEMES))
    highlight = param.ClassSelector(class_=Locus, doc="A place to point at: the last thing jumped to.")
    genome = param.String(default="", doc="Whose genome the Individual page shows (`genome_of`).")
    regions = param.ClassSelector(class_=tuple, default=(), doc="Regions of interest, as ``chr20:1-2000``.")
    mark = param.String(default="", doc="A variant that is marked (``20:1600925:G:A``); empty for none.")

    # what a page's address holds besides: parameters as they are, and names with commas between them
    _values: ClassVar[tuple[str, ...]] = ()
    _lists: ClassVar[tuple[str, ...]] = ()

    def query(self, all_contexts: tuple[Context, ...]) -> dict[str, str]:
        """Write what the page looks at into the values of a URL; what is as by default is left out."""
        lists = {name: ",".join(getattr(self, name)) for name in self._lists if self._is_changed(name)}
        return self.shared_query(all_contexts) | self._written(self._values) | lists

    def take(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        """Take over what a URL says, apart from the locus (which the world has to check).

        Returns
        -------
        list[str]
            What couldn't be taken over, in words: an old or mistyped address still opens.
        """
        for name in self._lists:
            if name in query:
                setattr(self, name, tuple(one for one in query[name].split(",") if one))
        return self._take_shared(query, all_contexts) + self._read(query, self._values)

    def shared_query(self, all_contexts: tuple[Context, ...]) -> dict[str, str]:
        """Write what all pages share, which a link to another page keeps."""
        locus = self.settled or self.locus
        query = {"locus": region_text(locus)}
        if self.mark:
            query["mark"] = self.mark
        if self.regions:
            query["regions"] = ",".join(self.regions)
        if self.contexts != contexts_at_first(all_contexts):
            query["contexts"] = ",".join(self.contexts)
        if genome := genome_of(self):
            query["genome"] = genome
        return query | self._written(("focus", "theme"))

    def _take_shared(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        problems = []
        names = [context.name for context in all_contexts]
        if "contexts" in query:
            wanted = set(query["contexts"].split(","))
            if unknown := sorted(wanted - set(names) - {""}):
                listed = ", ".join(unknown)
                problems.append(f"the address names contexts that this model doesn't have: {listed}")
            known = tuple(name for name in names if name in wanted)
            self.contexts = known if known or not unknown else contexts_at_first(all_contexts)
        if query.get("focus") in names:
            self.focus = query["focus"]
        for text in filter(None, query.get("regions", "").split(",")):
            try:
                self.regions = (*self.regions, region_text(Locus.parse(text)))
            except PhenvizError as error:
                problems.append(f"a region of interest of the address can't be shown: {error}")
        if (mark := query.get("mark", "")) and not _MARK.fullmatch(mark):
            problems.append(f"the address marks {mark[:60]!r}, which is no variant such as 20:1600925:G:A")
        elif mark:
            self.mark = mark
        return problems + self._read(query, ("theme", "genome"))

    def _is_changed(self, name: str) -> bool:
        return getattr(self, name) != self.param[name].default

    def _written(self, names: Iterable[str]) -> dict[str, str]:
        values = {name: getattr(self, name) for name in names if self._is_changed(name)}
        return {
            name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()
        }

    def _read(self, query: Mapping[str, str], names: Iterable[str]) -> list[str]:
        problems = []
        for name in names:
            if name not in query:
                continue
            text = query[name]
            try:
                setattr(self, name, _typed(self.param[name], text))
            except ValueError:
                problems.append(
                    f"the address says {name}={text!r}, which isn't possible: the usual value was taken"
                )
        return problems


class ExploreState(PageState):
    """State of the Explore page."""

    method = param.Selector(default="mutagenesis", objects=list(METHODS))
    target = param.Selector(default="activity", objects=list(TARGETS), doc="What is explained.")
    gene = param.String(default="", doc="Gene whose expression or surroundings are explained.")
    tissue = param.String(default="", doc="Where expression is explained; empty: on the left.")
    trait = param.String(default="", doc="Trait whose logit is explained, for the target `trait`.")
    window = param.Selector(default="view", objects=list(WINDOWS), doc="Which bases are explained.")
    flank = param.Integer(default=1_000, bounds=(0, 1_000_000), doc="Bases on both sides of the gene.")
    steps = param.Selector(default="32", objects=list(STEPS), doc="Steps of integrated gradients.")
    baseline = param.Selector(default="zero", objects=list(BASELINES), doc="Where their path begins.")
    shown = param.Parameter(doc="The request (`Explained`) whose result is on screen; None for none.")
    activity_style = param.Selector(default="heatmap", objects=list(ACTIVITY_STYLES))
    transcripts = param.Selector(
        default="one", objects=["one", "all"], doc="Whether each gene shows one transcript, or all."
    )
    logo = param.Selector(default="focus", objects=list(LOGOS), doc="What contributions of bases are of.")
    high = param.Number(
        default=0.0,
        bounds=(0, 1e9),
        doc="Where the colours of activity end; 0: they follow the view.",
    )
    hidden = param.ClassSelector(class_=tuple, default=(), doc="Names of the tracks that are hidden.")

    _values = (
        "gene", "tissue", "trait", "target", "method", "window", "flank", "steps", "baseline",
        "activity_style", "high", "logo", "transcripts",
    )  # fmt: skip
    _lists = ("hidden",)

    def query(self, all_contexts: tuple[Context, ...]) -> dict[str, str]:
        """See `PageState.query`; with the run on screen."""
        address = self.shown.address if self.shown is not None else None
        return super().query(all_contexts) | ({"run": address} if address else {})

    def take(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        """See `PageState.take`; with the run on screen."""
        problems = super().take(query, all_contexts)
        if "run" in query:
            # imported here: PyTorch comes with it, which most pages needn't wait for
            from phenviz.service.explained import request_at

            try:
                self.shown = request_at(query["run"])
            except PhenvizError as error:
                problems.append(str(error))
        return problems

    def offer(self, methods: Iterable[str]) -> None:
        """Allow only some methods; the first is the usual one, which an address needn't name."""
        method = self.param["method"]
        method.objects = list(methods)
        method.default = self.method = method.objects[0]


class PersonState(PageState):
    """State of a page that looks at one person."""

    source = param.String(default="", doc="Where the genome comes from: a key of `People`.")
    sample = param.String(default="", doc="Name of the individual; empty for nobody.")
    variant = param.String(default="", doc="Key of the variant that is looked at (`Variant.key`).")

    def query(self, all_contexts: tuple[Context, ...]) -> dict[str, str]:
        """See `PageState.query`; of an upload, that it is one."""
        query = super().query(all_contexts)
        for name in ("source", "sample", "variant") if self.source == UPLOAD else ("genome",):
            query.pop(name, None)
        return query

    def take(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        """See `PageState.take`; another page says with ``genome`` whose it is."""
        source, _, sample = query.get("genome", "").partition("/")
        if source:
            query = {"source": source, "sample": "" if source == UPLOAD else sample, **query}
        return super().take(query, all_contexts)


class IndividualState(PersonState):
    """State of the Individual page."""

    mode = param.Selector(default="exact", objects=list(MODES), doc="How haplotypes are predicted.")
    unphased = param.Selector(default="refuse", objects=list(UNPHASED), doc="What to do about unphased ones.")
    seed = param.Integer(default=0, bounds=(0, 2**31 - 1), doc="Of unphased ones that are drawn at random.")
    below = param.Selector(
        default="variants", objects=["variants", "expression", "measured"], doc="Under the tracks."
    )
    columns = param.Selector(default="organs", objects=list(EXPRESSION_COLUMNS), doc="Of expression.")
    hidden = param.ClassSelector(class_=tuple, default=INDIVIDUAL_HIDDEN, doc="Names of the hidden tracks.")

    _values = ("source", "sample", "mode", "unphased", "seed", "variant", "below", "columns")
    _lists = ("hidden",)


class VariantsState(PageState):
    """State of the Variants page."""

    origin = param.String(default="region", doc="Where the variants come from (`variant_run`).")
    lines = param.String(default="", doc="What was pasted.")
    variant = param.String(default="", doc="Key of the variant that is looked at; empty for the list.")
    columns = param.Selector(default="organs", objects=list(EXPRESSION_COLUMNS), doc="Of expression.")
    filter = param.String(default="", doc="What the table is searched for.")
    sort = param.String(default="", doc="Column that the table is sorted by, with a minus if descending.")

    _values = ("origin", "variant", "filter", "sort", "columns")

    def query(self, all_contexts: tuple[Context, ...]) -> dict[str, str]:
        """See `PageState.query`; many pasted lines are left out."""
        lines = _short_lines(self.lines) if self.origin == "pasted" else ""
        fits = 0 < len(lines) <= _LONGEST_LINES
        return super().query(all_contexts) | ({"lines": lines} if fits else {})

    def take(self, query: Mapping[str, str], all_contexts: tuple[Context, ...]) -> list[str]:
        """See `PageState.take`; with pasted lines."""
        if "lines" in query:
            self.lines = separate_lines(query["lines"])
        return super().take(query, all_contexts)


def contexts_at_first(all_contexts: tuple[Context, ...]) -> tuple[str, ...]:
    """Name the contexts that a page opens with: cell types and tissues, where the model has any.

    Of a model with many more contexts than can be drawn, the first few of each group.
    """
    contexts = without_reporters(all_contexts) or all_contexts
    if len(contexts) <= _MOST_AT_FIRST:
        return tuple(context.name for context in contexts)
    each = max(_FEW_AT_FIRST // len({context.group for context in contexts}), 1)
    seen: Counter[str] = Counter()
    chosen: list[str] = []
    for context in contexts:
        seen[context.group] += 1
        if seen[context.group] <= each and len(chosen) < _FEW_AT_FIRST:
            chosen.append(context.name)
    return tuple(chosen)


def genome_of(state: PageState) -> str:
    """Write whose genome is looked at: source and sample with a slash between; of an upload no sample."""
    if not isinstance(state, PersonState):
        return state.genome
    if state.source == UPLOAD:
        return UPLOAD
    return f"{state.source}/{state.sample}" if state.sample else ""


def region_text(locus: Locus) -> str:
    """Write a region of interest as addresses hold it."""
    return f"{shown_contig(locus.contig)}:{locus.start + 1}-{locus.end}"


def locus_of_mark(mark: str) -> Locus | None:
    """Return the bases that a marked variant replaces (`PageState.mark`); None for no variant."""
    fields = mark.split(":")
    if len(fields) != 4:
        return None
    start = int(fields[1]) - 1
    return Locus(fields[0], start, start + len(fields[2]))


def separate_lines(text: str) -> str:
    """Write pasted variants one per line, where some stand side by side with a ``;`` between them."""
    return "\n".join(part for line in text.splitlines() for part in _variants_of_line(line))


def _variants_of_line(line: str) -> list[str]:
    # a VCF has a ';' in headers, ID and INFO, too
    of_vcf = "\t" in line.strip() or line.startswith("##")
    return _BEFORE_VCF_LINE.split(line) if of_vcf else line.split(";")


def _short_lines(text: str) -> str:
    """Leave out of pasted lines what isn't needed; "" if there are too many for an address anyway."""
    if text.count("\n") > _LONGEST_LINES:
        return ""
    lines = (line.strip() for line in separate_lines(text).splitlines())
    needed = (line.split("\t")[:_VCF_COLUMNS] for line in lines if line and not line.startswith("##"))
    return "\n".join("\t".join(columns) for columns in needed)


def _typed(parameter: param.Parameter, text: str) -> object:
    if isinstance(parameter, param.Integer):
        return int(text)
    return float(text) if isinstance(parameter, param.Number) else text
