# Measures a table's cells, and writes it in four formats.
rule table:
    input:
        JOBS.table_runs,
        spec=local("tables/{table}.yaml"),
    output:
        cells="results/{scale}/cells/{table}.csv",
        csv="results/{scale}/tables/{table}.csv",
        md="results/{scale}/tables/{table}.md",
        html=report(
            "results/{scale}/tables/{table}.html",
            caption="captions/table.rst",
            category="Tables",
            labels=JOBS.table_labels,
        ),
        tex="results/{scale}/tables/{table}.tex",
    log:
        "results/{scale}/tables/{table}.log",
    conda:
        ENVIRONMENT
    shell:
        "replication table {wildcards.table:q} > {log:q} 2>&1"


# Puts the tables' cells together.
rule cells:
    input:
        JOBS.outputs("results/{{scale}}/cells/{table}.csv"),
    output:
        "results/{scale}/cells.csv",
    log:
        "results/{scale}/cells.log",
    conda:
        ENVIRONMENT
    shell:
        "replication cells > {log:q} 2>&1"


# Decides the paper's claims.
rule claims:
    input:
        "results/{scale}/cells.csv",
        local("tables/claims.yaml"),
    output:
        "results/{scale}/claims.csv",
        "results/{scale}/claims_power.csv",
    log:
        "results/{scale}/claims.log",
    conda:
        ENVIRONMENT
    shell:
        "replication claims > {log:q} 2>&1"


# snakemake table1 ... table6
for name in PLAN.tables:

    rule:
        name:
            name
        input:
            f"results/{PLAN.scale.scale}/tables/{name}.csv",
            # Asked for by name, so that a run that somebody has deleted is trained again.
            JOBS.records(name),


rule tables:
    input:
        JOBS.outputs("results/{scale}/tables/{table}.csv"),
        JOBS.outputs("results/{scale}/cells.csv"),
        JOBS.outputs("results/{scale}/claims.csv"),
        JOBS.records(*PLAN.tables),
