# Records which scale the results are of, once all of its runs are trained by its recipes.
rule scale:
    input:
        RULES.records(*PLAN.tables),
    output:
        "results/{scale}/scale.json",
    log:
        "results/{scale}/scale.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        scale=RULES.scale_hash,
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} scale {params.files} > {log:q} 2>&1"


# Measures a table's cells and describes its runs, and writes the table in four formats.
rule table:
    input:
        RULES.table_runs,
        spec=RULES.table_file,
    output:
        cells="results/{scale}/cells/{table}.csv",
        runs="results/{scale}/cells/{table}.runs.csv",
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


# Collects the cells and the runs of all tables in one file each.
rule collect:
    input:
        expand("results/{{scale}}/cells/{table}.csv", table=PLAN.tables),
        expand("results/{{scale}}/cells/{table}.runs.csv", table=PLAN.tables),
        "results/{scale}/scale.json",
    output:
        "results/{scale}/cells.csv",
        "results/{scale}/runs.csv",
    log:
        "results/{scale}/collect.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        tables=list(PLAN.tables),
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} collect {params.files} > {log:q} 2>&1"


# The targets table1 ... table6, controls and sensitivity.
for name in PLAN.tables:

    rule:
        name:
            name
        input:
            f"{PLAN.results}/tables/{name}.csv",
            # Named here so that a run whose folder was deleted is trained again.
            RULES.records(name),


rule tables:
    input:
        expand("{results}/tables/{table}.csv", results=PLAN.results, table=PLAN.tables),
        multiext(f"{PLAN.results}/", "cells.csv", "runs.csv", "claims.csv", "criteria.csv"),
        f"{PLAN.results}/tables/quality.csv",
        RULES.records(*PLAN.tables),
