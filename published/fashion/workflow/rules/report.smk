# What the report opens with.
report: "captions/report.rst"


config["description"] = RULES.description


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
