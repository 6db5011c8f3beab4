# Trains one run; its folder lies in its teacher's.
rule train:
    input:
        RULES.data,
        RULES.teacher_model,
    output:
        model="results/{scale}/runs/{run}/model.safetensors",
        predictions="results/{scale}/runs/{run}/predictions.safetensors",
        history="results/{scale}/runs/{run}/history.csv",
        confidence_weights="results/{scale}/runs/{run}/confidence_weights.csv",
        record="results/{scale}/runs/{run}/run.json",
    log:
        "results/{scale}/runs/{run}/train.log",
    conda:
        ENVIRONMENT
    threads: RULES.threads
    resources:
        gpu=RULES.gpus,
        gpu_slots=RULES.gpu_slots,
        mem_mb=RULES.mem_mb,
        runtime=RULES.runtime,
    params:
        # A changed recipe reruns what depends on it, and nothing else.
        recipe=RULES.recipe,
        files=CONFIGFILES,
        worker=WORKER,
    shell:
        # exec: the signal that asks a training to save a checkpoint would end a shell in between,
        # and a cluster then kills what the job has left behind.
        "exec replication {params.worker} train {wildcards.run:q} {params.files} --threads {threads}"
        " > {log:q} 2>&1"
