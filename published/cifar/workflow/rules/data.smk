# Downloads, checks and prepares a data set, so that training needs no network.
rule data:
    output:
        "results/{scale}/data/{dataset}.json",
    log:
        "results/{scale}/data/{dataset}.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        # Files that have changed are read again.
        state=RULES.source_state,
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        "replication {params.worker} data {wildcards.dataset:q} {params.files} --output {output:q} > {log:q} 2>&1"
