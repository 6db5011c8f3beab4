# Measures a table's cells, and writes the table in four formats.
rule table:
    input:
        RULES.table_runs,
        spec="tables/{table}.yaml",
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
    shell:
        "replication table {wildcards.table:q} {CONFIGFILES} > {log:q} 2>&1"


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
    shell:
        "replication cells {CONFIGFILES} > {log:q} 2>&1"


# Tests the paper's claims.
rule claims:
    input:
        "results/{scale}/cells.csv",
        "tables/claims.yaml",
    output:
        "results/{scale}/claims.csv",
        "results/{scale}/claims_power.csv",
    log:
        "results/{scale}/claims.log",
    localrule: True
    conda:
        ENVIRONMENT
    shell:
        "replication claims {CONFIGFILES} > {log:q} 2>&1"


# The targets table1 ... table6 and sensitivity.
for name in PLAN.tables:

    rule:
        name:
            name
        input:
            f"results/{PLAN.scale.scale}/tables/{name}.csv",
            # Named here so that a run whose folder was deleted is trained again.
            RULES.records(name),


rule tables:
    input:
        RULES.outputs("results/{scale}/tables/{table}.csv"),
        RULES.outputs("results/{scale}/cells.csv"),
        RULES.outputs("results/{scale}/claims.csv"),
        RULES.records(*PLAN.tables),
