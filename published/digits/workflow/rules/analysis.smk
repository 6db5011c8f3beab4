# Measures likelihood, calibration and agreement of the predictions behind the cells.
rule quality:
    input:
        "results/{scale}/cells.csv",
        "results/{scale}/runs.csv",
    output:
        "results/{scale}/quality.csv.gz",
        "results/{scale}/reliability.csv.gz",
        "results/{scale}/correct.safetensors",
        multiext("results/{scale}/tables/quality", ".csv", ".md", ".tex"),
        report(
            "results/{scale}/tables/quality.html",
            caption="captions/quality.rst",
            category="Tables",
            labels={"table": "quality", "title": "Likelihood, calibration and agreement"},
        ),
    log:
        "results/{scale}/quality.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} quality {params.files} > {log:q} 2>&1"


# Tests the paper's claims.
rule claims:
    input:
        "results/{scale}/cells.csv",
        "results/{scale}/runs.csv",
        "results/{scale}/quality.csv.gz",
        "results/{scale}/correct.safetensors",
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


# Measures whether the scale is a fair test of the paper.
rule criteria:
    input:
        "results/{scale}/runs.csv",
        RULES.records(*PLAN.tables),
    output:
        "results/{scale}/criteria.csv",
        report(
            "results/{scale}/criteria.html",
            caption="captions/criteria.rst",
            category="Criteria",
            labels={"criteria": "Is the scale a fair test?"},
        ),
    log:
        "results/{scale}/criteria.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        exceptions=PLAN.scale.exceptions,
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} criteria --write {params.files} > {log:q} 2>&1"


# Decides one claim from its own runs: results/fashion/claims/ban-all.txt
rule claim:
    input:
        RULES.claim_runs,
        PLAN.claims_file,
    output:
        "results/{scale}/claims/{claim}.txt",
    log:
        "results/{scale}/claims/{claim}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} claim {wildcards.claim:q} {params.files} > {output:q} 2> {log:q}"
