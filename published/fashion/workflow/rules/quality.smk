# Measures likelihood, calibration and agreement of the predictions behind the cells.
rule quality:
    input:
        "results/{scale}/cells.csv",
        "results/{scale}/runs.csv",
    output:
        "results/{scale}/quality.csv",
        "results/{scale}/reliability.csv",
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
