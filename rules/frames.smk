# Averages over seeds what the figures of dark knowledge draw.
rule frames:
    input:
        "results/{scale}/cells/table2.csv",
    output:
        [f"results/{{scale}}/frames/{frame}.csv" for frame in NOTEBOOKS["dark_knowledge"].frames],
    log:
        "results/{scale}/frames.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} frames {params.files} > {log:q} 2>&1"
