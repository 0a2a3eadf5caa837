"""Names that columns usually go by, whatever the tool."""

from __future__ import annotations

from collections.abc import Mapping

# role -> names in use, lower case; the first that a file has is taken
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "trait": ("trait", "phenotype", "disease", "molecular_trait_id", "study", "study_id"),
    "region": ("region", "locus", "locus_id", "indexsnp", "index_snp"),
    "credible_set": ("cs", "cs_id", "credible_set", "credible_set_id", "cs_index", "cs_number"),
    "contig": ("contig", "chromosome", "chr", "chrom", "#chrom", "#chr", "seqnames", "chrom_id"),
    "position": ("position", "pos", "base_pair_location", "bp", "bp_hg19", "position_grch37", "snp_pos"),
    # of BED files: start and end
    "start": ("start", "chromstart", "chrom_start"),
    "end": ("end", "chromend", "chrom_end"),
    "effect_allele": ("effect_allele", "ea", "a1", "tested_allele", "coded_allele", "assessed_allele",
                      "risk_allele", "eff_allele", "effectallele"),
    "other_allele": ("other_allele", "oa", "a2", "nea", "non_effect_allele", "noneffect_allele", "a0",
                     "noncoded_allele", "non_coded_allele", "otherallele", "allele0"),
    "ref": ("ref", "reference", "ref_allele", "reference_allele"),
    "alt": ("alt", "alternate", "alternative", "alt_allele", "alternate_allele", "alternative_allele"),
    # which of the two effects are of differs from tool to tool
    "first_allele": ("allele1", "allele_1", "allelea", "allele_a"),
    "second_allele": ("allele2", "allele_2", "alleleb", "allele_b"),
    "id": ("id", "rsid", "rs_id", "snp", "variant_id", "snpid", "markername", "markerid", "marker"),
    "variant": ("variant", "variant_name", "variable", "snp_id", "name", "v"),
    "posterior": ("posterior", "pip", "pp", "prob", "posterior_probability", "pics_probability",
                  "posterior_prob", "causal_post._prob.", "variable_prob", "prob_causal",
                  "finemap_pip", "susie_pip"),
    "beta": ("beta", "effect", "effect_size", "b", "beta_marginal", "log_odds", "log(or)"),
    "odds_ratio": ("odds_ratio", "or", "hazard_ratio"),
    "se": ("se", "standard_error", "stderr", "sebeta", "se_marginal", "log(or)_se"),
    "z": ("z", "zscore", "z_score", "zscore_marginal", "z_stat", "t_stat", "tstat"),
    "p_value": ("p_value", "p", "pval", "pvalue", "p-value", "p.value"),
    "neg_log_10_p_value": ("neg_log_10_p_value", "mlog10p", "neglog10p", "log10p", "nlog10p", "mlogp",
                           "log10_p", "neg_log10_p"),
    "allele_frequency": ("effect_allele_frequency", "eaf", "allele_frequency", "alt_frequency", "af", "af1",
                         "a1freq", "a1_freq", "maf"),
}  # fmt: skip
# roles that people add to a tool's own table
FILLED_IN = ("trait", "region", "credible_set", "posterior", "id", "variant")
# roles of which two columns would contradict each other
ONE_OF = ("position", "effect_allele", "other_allele", "posterior")
