"""R's functions that a script may call, by what they do to its names and its models."""

from __future__ import annotations

__all__ = [
    "CODINGS",
    "MAKERS",
    "PASSED_ON",
    "READERS",
    "UNKNOWABLE",
]

#: Functions whose value is that of their first argument.
PASSED_ON = frozenset(
    "print show invisible identity suppressWarnings suppressMessages try tryCatch force "
    "as_lmerModLmerTest refitML".split()
)

#: Functions that read a table: what is assigned is the data given under that name.
READERS = frozenset(
    "read.csv read.csv2 read.table read.delim read.delim2 read_csv read_csv2 read_tsv read_delim "
    "read_table readRDS read_rds fread read_excel read.xlsx read_xlsx read_parquet read_feather "
    "read.spss read_sav read_dta read.dta read_sas read.dta13 vroom".split()
)

#: Functions that make another model of one, each with what to do instead.
MAKERS = {
    "refit": "write the call with the other response",
    **dict.fromkeys(
        ("step", "stepAIC", "buildmer", "dredge"), "write the call of the model that was chosen"
    ),
}

#: Functions that can change what any name means, each with what to do instead.
UNKNOWABLE = {
    **dict.fromkeys(("source", "sys.source"), "write here what it does"),
    **dict.fromkeys(("eval", "evalq", "local", "do.call"), "write the call itself"),
    "assign": "write name <- value",
    **dict.fromkeys(
        ("setDT", "setDF", "setnames", "setkey", "setorder", "setattr", "set"),
        "change the data frame before it is given",
    ),
}

#: Functions that set both default contrasts (those of the package afex): of factors, of ordered ones.
CODINGS = {
    "set_sum_contrasts": ("contr.sum", "contr.poly"),
    "set_effects_contrasts": ("contr.sum", "contr.poly"),
    "set_deviation_contrasts": ("contr.sum", "contr.poly"),
    "set_treatment_contrasts": ("contr.treatment", "contr.poly"),
    "set_default_contrasts": ("contr.treatment", "contr.poly"),
}
