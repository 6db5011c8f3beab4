# Downloads, checks and prepares a data set, so that training needs no network.
rule data:
    output:
        "results/{scale}/data/{dataset}.json",
    log:
        "results/{scale}/data/{dataset}.log",
    localrule: True
    conda:
        ENVIRONMENT
    shell:
        "replication {WORKER} data {wildcards.dataset:q} {CONFIGFILES} --output {output:q} > {log:q} 2>&1"
