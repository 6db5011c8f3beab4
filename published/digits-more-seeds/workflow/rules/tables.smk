# Measures a table's cells, and writes the table in four formats.
rule table:
    input:
        RULES.table_runs,
        spec=RULES.table_file,
    output:
        cells="results/{scale}/cells/{table}.csv",
        csv="results/{scale}/tables/{table}.csv",
        md="results/{scale}/tables/{table}.md",
        html=report(
            "results/{scale}/tables/{table}.html",
            caption="captions/table.rst",
            category="Tables",
            labels=RULES.table_labels,
        ),
        tex="results/{scale}/tables/{table}.tex",
    log:
        "results/{scale}/tables/{table}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        cells=RULES.table_hash,
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} table {wildcards.table:q} {params.files} > {log:q} 2>&1"


# Collects the cells of all tables in one file.
rule cells:
    input:
        RULES.outputs("results/{{scale}}/cells/{table}.csv"),
    output:
        "results/{scale}/cells.csv",
    log:
        "results/{scale}/cells.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        tables=list(PLAN.tables),
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} cells {params.files} > {log:q} 2>&1"


# Tests the paper's claims.
rule claims:
    input:
        "results/{scale}/cells.csv",
        "results/{scale}/quality.csv",
        PLAN.claims_file,
    output:
        "results/{scale}/claims.csv",
        "results/{scale}/claims_power.csv",
        "results/{scale}/claims_items.csv",
    log:
        "results/{scale}/claims.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} claims {params.files} > {log:q} 2>&1"


# The targets table1 ... table6, controls and sensitivity.
for name in PLAN.tables:

    rule:
        name:
            name
        input:
            # A table with empty cells has no LaTeX file, so that the next call builds it again.
            multiext(f"results/{PLAN.scale.scale}/tables/{name}", ".csv", ".tex"),
            # Named here so that a run whose folder was deleted is trained again.
            RULES.records(name),


rule tables:
    input:
        RULES.outputs("results/{scale}/tables/{table}.csv"),
        RULES.outputs("results/{scale}/tables/{table}.tex"),
        RULES.outputs("results/{scale}/cells.csv"),
        RULES.outputs("results/{scale}/tables/quality.csv"),
        RULES.outputs("results/{scale}/claims.csv"),
        RULES.outputs("results/{scale}/criteria.csv"),
        RULES.records(*PLAN.tables),
