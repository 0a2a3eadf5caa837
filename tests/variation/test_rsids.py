import gzip

import pytest

from phenviz.data import embedded
from phenviz.errors import DataError
from phenviz.variation.rsids import find_rsid, resolve_rsids

_VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
20\t101\trs11;rs12\tA\tG\t.\t.\t.
20\t205\t.\tC\tT\t.\t.\t.
20\t300\trs13\tC\tCTT\t.\t.\t.
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PHENVIZ_CACHE", str(tmp_path / "cache"))


def test_embedded_rsid_lies_where_dbsnp_has_it():
    assert find_rsid(embedded.INDIVIDUALS, "rs6116042") == ("20", 3_776_967, "T", "A")


def test_every_id_of_a_record_is_found_in_any_case(tmp_path):
    path = tmp_path / "calls.vcf.gz"
    path.write_bytes(gzip.compress(_VCF.encode()))
    assert find_rsid(path, "RS12") == find_rsid(path, "rs11") == ("20", 100, "A", "G")
    assert find_rsid(path, "rs13") == ("20", 299, "C", "CTT")


def test_unknown_and_empty_ids_are_nowhere(tmp_path):
    path = tmp_path / "calls.vcf"
    path.write_text(_VCF)
    assert find_rsid(path, "rs999") is None
    assert find_rsid(path, ".") is None


def test_a_replaced_vcf_is_read_again(tmp_path):
    path = tmp_path / "calls.vcf"
    path.write_text(_VCF)
    assert find_rsid(path, "rs13") is not None
    path.write_text(_VCF.replace("rs13", "rs1313"))
    assert find_rsid(path, "rs13") is None


def test_a_damaged_cache_entry_is_made_again(tmp_path):
    path = tmp_path / "calls.vcf"
    path.write_text(_VCF)
    find_rsid(path, "rs13")
    from phenviz.variation import rsids

    rsids._places.cache_clear()
    for entry in (tmp_path / "cache" / "rsids").iterdir():
        entry.write_bytes(entry.read_bytes()[:20])
    assert find_rsid(path, "rs13") == ("20", 299, "C", "CTT")


def test_a_file_that_is_no_vcf_is_named_with_its_line(tmp_path):
    path = tmp_path / "genes.tsv"
    path.write_text("gene\tstart\nGATA1\t1\n")
    with pytest.raises(DataError, match=r"genes\.tsv, line 1"):
        find_rsid(path, "rs1")


def test_rsids_among_pasted_lines_become_the_places_of_the_first_file_that_has_them(tmp_path):
    first, second = tmp_path / "first.vcf", tmp_path / "second.vcf"
    first.write_text(_VCF.replace("rs13", "rs14"))
    second.write_text(_VCF.replace("101", "102"))
    text = resolve_rsids("20:5:A:C\nRS11\n rs13 \n", [first, second])
    assert text.splitlines() == ["20:5:A:C", "20\t101\trs11\tA\tG", "20\t300\trs13\tC\tCTT"]
    with pytest.raises(DataError, match="doesn't know rs1, rs2: give position and alleles instead"):
        resolve_rsids("rs1\nrs11\nrs2", [first, second])
