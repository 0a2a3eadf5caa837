import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from phenviz.errors import ResultError
from phenviz.figures import (
    ActivityAreas,
    ActivityHeatmap,
    Attribution,
    BaseTrack,
    Genes,
    Highlights,
    LocusFigure,
    Logo,
    MutagenesisHeatmap,
    ObservedPeaks,
    Ruler,
    VariantMarks,
    explore_figure,
    figure_of,
)
from phenviz.figures.component import short_number
from phenviz.figures.style import DIVERGING, SMALL_PT, figure_settings, text_width_mm
from phenviz.genome.locus import Locus

from ..results.toys import make_attribution, make_mutagenesis, make_prediction
from .toys import make_annotation, make_genes

WINDOW = Locus("20", 0, 100_000)
CLOSE = Locus("20", 1_000, 1_200)


def texts_of(svg: bytes) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.decode())


def axes_of(figure: LocusFigure, label: str):
    return next(ax for ax in figure.figure.axes if any(text.get_text() == label for text in ax.texts))


def explored() -> LocusFigure:
    peaks = pd.DataFrame(
        {"context": ["Ery", "HSC"], "contig": "chr20", "start": [50, 900], "end": [90, 1_100]}
    )
    return explore_figure(
        WINDOW,
        annotation=make_annotation(),
        prediction=make_prediction(WINDOW),
        attribution=make_attribution(WINDOW),
        observed=peaks,
        focus="gene3",
        overlays=[VariantMarks([5_000, 5_001], ["rs1", "rs2"]), Highlights([(10, 20)])],
    )


def test_gene_names_and_contexts_stay_text_in_svg():
    texts = texts_of(explored().render("svg"))
    assert {f"GENE{index}" for index in range(12)} <= set(texts)
    assert {"HSC", "GMP-A", "Ery", "Genes", "rs1"} <= set(texts)


def test_numbers_beside_a_colour_bar_stay_short_however_small_they_are():
    written = [short_number(value) for value in (0, 0.25, -0.5, 0.001, -0.00025, 2e-4, 3.14159)]
    minus = "\N{MINUS SIGN}"
    assert written == ["0", "0.25", f"{minus}0.5", "0.001", f"{minus}2.5e{minus}4", f"2e{minus}4", "3.14"]


def test_the_footer_says_how_the_numbers_were_made():
    words = " ".join(texts_of(explored().render("svg")))
    for part in (
        "GRCh37",
        "toy@01234567",
        "Predicted activity: fold change (fold change)",
        "integrated gradients",
        "PhenViz",
    ):
        assert part in words


@pytest.mark.parametrize("width", [89.0, 150.0, 183.0])
def test_no_line_of_the_footer_leaves_the_picture(width):
    dataset = make_attribution(CLOSE)
    rng = np.random.default_rng(0)
    dataset.attrs["definition"] = " ".join("".join(rng.choice(list("mwil("), 7)) for _ in range(60))
    figure = LocusFigure(CLOSE, [Attribution(dataset)], width_mm=width).figure
    canvas = FigureCanvasAgg(figure)
    figure.set_dpi(150)
    with figure_settings():  # as files are written: hinted letters would be wider
        canvas.draw()
        rights = [text.get_window_extent(canvas.get_renderer()).x1 for text in figure.texts]
    assert len(rights) > 3 and max(rights) <= figure.bbox.x1


def test_text_of_an_svg_is_readable_without_our_fonts():
    svg = explored().render("svg").decode()
    assert set(re.findall(r"font-family: [^;\"]*", svg)) == {
        "font-family: Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif"
    }


def test_text_of_a_pdf_is_embedded_as_truetype():
    pdf = explored().render("pdf")
    assert b"/FontFile2" in pdf and b"/Subtype /Type3" not in pdf


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_the_same_figure_is_the_same_file(kind):
    assert explored().render(kind) == explored().render(kind)


@pytest.mark.parametrize(("suffix", "magic"), [(".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")])
def test_a_figure_is_saved_by_suffix(tmp_path, suffix, magic):
    path = figure_of(make_prediction()).save(tmp_path / f"figure{suffix}", dpi=72)
    assert path.read_bytes().startswith(magic)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ResultError, match=r"\.svg \.pdf \.png"):
        figure_of(make_prediction()).save(tmp_path / "figure.gif")


def test_the_figure_is_as_wide_as_asked():
    figure = figure_of(make_prediction(), width_mm=89).figure
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx(89)


def test_a_figure_too_narrow_is_refused():
    with pytest.raises(ResultError, match="at least"):
        figure_of(make_prediction(), width_mm=30).render("svg")


def test_settings_of_the_user_are_left_as_they_were():
    # reading "backend" would choose one, so it is left alone
    names = [name for name in matplotlib.rcParams if name != "backend"]
    before = {name: matplotlib.rcParams[name] for name in names}
    explored().render("png", dpi=50)
    assert {name: matplotlib.rcParams[name] for name in names} == before


def test_threads_draw_the_same_as_one():
    alone = explored().render("svg")
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: explored().render("svg"), range(6))) == {alone}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [60.0, 150.0])
def test_names_and_bodies_of_genes_never_cover_each_other(seed, width):
    placed = Genes(make_genes(15, seed=seed), most_rows=50).placed(WINDOW, width)
    for row in {gene.row for gene in placed}:
        genes = sorted((gene for gene in placed if gene.row == row), key=lambda gene: gene.start)
        spans = [(min(g.start, g.name_start), max(g.end, g.name_end)) for g in genes]
        assert all(left[1] < right[0] for left, right in pairwise(spans))


def test_drawn_names_do_not_overlap():
    figure = LocusFigure(WINDOW, [Genes(make_genes(15), most_rows=50)]).figure
    with figure_settings():
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [text.get_window_extent(renderer) for ax in figure.axes for text in ax.texts]
    assert len(boxes) == 16
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[:index])


def test_names_stay_inside_the_window():
    window = Locus("20", 40_000, 41_000)
    for gene in Genes(make_genes(30), most_rows=99).placed(window, 100.0):
        assert window.start <= gene.name_start and gene.name_end <= window.end


def test_too_many_genes_are_drawn_without_names():
    svg = LocusFigure(WINDOW, [Genes(make_genes(300))]).render("svg")
    assert "GENE1" not in texts_of(svg)


def test_a_window_without_genes_says_so():
    assert "no genes here" in texts_of(LocusFigure(CLOSE, [Genes(make_genes().iloc[:0])]).render("svg"))


@pytest.mark.parametrize("make", [make_prediction, make_mutagenesis, make_attribution])
def test_every_kind_of_result_is_drawn_over_its_locus(make):
    figure = figure_of(make(), make_annotation())
    assert figure.render("svg").count(b"<text") > 5


def test_positions_on_the_ruler_count_from_one():
    ax = axes_of(LocusFigure(CLOSE, [Ruler("20")]), "chr20")
    (text,) = [text for text in ax.texts if text.get_text() == "1,100"]
    assert text.get_position()[0] == 1_099.5


def test_letters_stand_on_zero_and_hang_below_it():
    dataset = make_mutagenesis(CLOSE)
    figure = LocusFigure(CLOSE, [Logo(dataset, "Ery")])
    ax = axes_of(figure, "Contribution\nEry")
    paths = [path for collection in ax.collections for path in collection.get_paths()]
    values = Logo(dataset, "Ery").values
    known = np.flatnonzero(np.isfinite(values) & (values != 0))
    assert len(paths) == len(known)
    drawn = {round(path.vertices[:, 0].min() - 0.03): path.vertices for path in paths}
    for index in known:
        heights = drawn[CLOSE.start + index][:, 1]
        reach = heights.max() if values[index] > 0 else heights.min()
        assert reach == pytest.approx(values[index])
        assert np.abs(heights).min() == pytest.approx(0, abs=1e-9)


def test_letters_become_bars_where_they_could_not_be_read():
    wide = Locus("20", 0, 5_000)
    svg = LocusFigure(wide, [Logo(make_mutagenesis(wide))]).render("svg")
    assert len(svg) < 1_000_000


def test_no_effect_is_white_and_colours_are_symmetric():
    figure = LocusFigure(CLOSE, [MutagenesisHeatmap(make_mutagenesis(CLOSE))])
    (image,) = [
        image for ax in figure.figure.axes for image in ax.images if image.get_cmap().name == DIVERGING.name
    ]
    low, high = image.get_clim()
    assert low == -high
    np.testing.assert_allclose(image.to_rgba(np.array([[0.0]]))[0, 0], 1, atol=0.02)


def test_the_heat_map_puts_each_value_at_its_bin():
    prediction = make_prediction(Locus("20", 0, 1_280))
    figure = LocusFigure(Locus("20", 0, 1_280), [ActivityHeatmap(prediction)])
    (image,) = [image for ax in figure.figure.axes for image in ax.images]
    np.testing.assert_array_equal(image.get_array(), prediction["activity"])
    assert list(image.get_extent()) == [0, 1_280, 3, 0]


def test_the_footer_says_the_units_of_the_contexts_that_are_drawn():
    window = Locus("20", 0, 12_800)
    whole = make_prediction(window).assign_attrs(units="fold enrichment; RNA/DNA (HepG2)")
    of_peaks = whole.assign_coords(units=("context", ["fold enrichment"] * whole.sizes["context"]))
    (line,) = ActivityHeatmap(of_peaks).meanings(window)
    assert "(fold enrichment)" in line and "RNA/DNA" not in line


def test_colours_of_activity_follow_the_logarithm_as_on_screen():
    window = Locus("20", 0, 1_280)
    figure = LocusFigure(window, [ActivityHeatmap(make_prediction(window), limit=20.0)])
    (image,) = [image for ax in figure.figure.axes for image in ax.images]
    np.testing.assert_allclose(image.norm([0.0, 1.0, 20.0]), [0, np.log(2) / np.log(21), 1])


def test_areas_end_at_their_limit_and_the_footer_says_so():
    window = Locus("20", 0, 1_280)
    prediction = make_prediction(window)
    prediction["activity"][:] = 1.0
    prediction["activity"][0, 3] = 50.0
    figure = LocusFigure(window, [ActivityAreas(prediction, limit=2.0)])
    assert "drawn up to 2" in figure.footer
    (ax,) = [ax for ax in figure.figure.axes if ax.collections]
    tops = [path.vertices[:, 1].max() for part in ax.collections for path in part.get_paths()]
    assert max(tops) < len(prediction["context"])
    assert "drawn up to" not in LocusFigure(window, [ActivityAreas(prediction, limit=50.0)]).footer


def test_a_megabase_stays_a_small_file_and_keeps_its_extremes():
    window = Locus("20", 42_000_000, 43_000_000)
    dataset = make_attribution(window)
    figure = LocusFigure(window, [Attribution(dataset), ActivityHeatmap(make_prediction(window))])
    assert len(figure.render("svg")) < 2_000_000
    ax = axes_of(figure, "Attribution\nEry activity")
    tops = [path.vertices[:, 1].max() for collection in ax.collections for path in collection.get_paths()]
    lows = [path.vertices[:, 1].min() for collection in ax.collections for path in collection.get_paths()]
    assert max(tops) == pytest.approx(dataset["attribution"].max().item())
    assert min(lows) == pytest.approx(dataset["attribution"].min().item())


def test_unknown_values_are_left_blank():
    track = BaseTrack(np.arange(1_000, 1_200), np.full(200, np.nan), units="u", label="nothing known")
    assert LocusFigure(CLOSE, [track]).render("svg")


def test_peaks_are_drawn_whatever_the_contig_is_called():
    peaks = pd.DataFrame({"context": ["Ery"], "contig": ["chr20"], "start": [1_010], "end": [1_020]})
    starts, ends = ObservedPeaks(peaks, ["Ery"]).intervals("Ery", CLOSE)
    assert (starts.tolist(), ends.tolist()) == ([1_010], [1_020])


def test_the_footer_names_contexts_whose_peaks_were_never_given():
    peaks = pd.DataFrame({"context": ["Ery"], "contig": ["20"], "start": [5_000], "end": [5_020]})
    track = ObservedPeaks(peaks, ["Ery", "ESC", "HepG2"])
    # Ery has no peak in this window, which is a finding; of the others nothing is known
    assert track.meanings(CLOSE) == ["Observed peaks: none were given for ESC, HepG2"]
    assert ObservedPeaks(peaks, ["Ery"]).meanings(CLOSE) == []


def test_elements_stand_in_the_row_of_their_lineage():
    svg = explore_figure(WINDOW, annotation=make_annotation(), prediction=make_prediction(WINDOW)).render(
        "svg"
    )
    assert {"erythroid, platelets", "other tissues"} <= set(texts_of(svg))


def test_a_figure_is_told_without_an_address_in_memory():
    figures = [explore_figure(CLOSE, prediction=make_prediction(CLOSE)) for _ in range(2)]
    assert repr(figures[0]) == repr(figures[1]) and "0x" not in repr(figures[0])


def test_an_unknown_context_is_named():
    with pytest.raises(ResultError, match="no context Bone"):
        ActivityHeatmap(make_prediction(), ["Bone"])
    with pytest.raises(ResultError, match="no context 'Bone'"):
        MutagenesisHeatmap(make_mutagenesis(), "Bone")


def test_a_result_passed_as_another_kind_is_refused():
    with pytest.raises(ResultError, match="mutagenesis"):
        explore_figure(WINDOW, prediction=make_mutagenesis())


def test_an_unknown_style_is_refused():
    with pytest.raises(ResultError, match="heatmap or areas"):
        explore_figure(WINDOW, prediction=make_prediction(), style="pie")


def test_a_result_elsewhere_is_refused():
    with pytest.raises(ResultError, match="predict there first"):
        explore_figure(WINDOW, prediction=make_prediction()).render("svg")


def test_nothing_to_draw_is_refused():
    with pytest.raises(ResultError, match="at least one component"):
        LocusFigure(WINDOW, [])


@pytest.mark.parametrize("dpi", [72, 110, 150, 300])
def test_text_of_a_png_is_as_wide_as_it_was_measured(dpi):
    line = "Effect: log2(1 + sum ALT) - log2(1 + sum REF) in bins b-2 to b+1, b = (position - 1) // 128 " * 2
    with figure_settings():
        figure = Figure(figsize=(10, 1), dpi=dpi)
        text = figure.text(0, 0, line, fontsize=SMALL_PT)
        drawn = text.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width / dpi * 25.4
    assert drawn == pytest.approx(text_width_mm(line, SMALL_PT), rel=0.01)
