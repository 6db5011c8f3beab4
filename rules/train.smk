# Trains one run; its folder lies in its teacher's.
rule train:
    input:
        JOBS.teacher_model,
        JOBS.teacher_record,
    output:
        model="results/{scale}/runs/{run}/model.safetensors",
        predictions="results/{scale}/runs/{run}/predictions.safetensors",
        history="results/{scale}/runs/{run}/history.csv",
        record="results/{scale}/runs/{run}/run.json",
    log:
        "results/{scale}/runs/{run}/train.log",
    conda:
        ENVIRONMENT
    threads: JOBS.threads
    resources:
        gpu=JOBS.gpus,
        gpu_slots=JOBS.gpu_slots,
        mem_mb=JOBS.mem_mb,
        runtime=JOBS.runtime,
    params:
        # A changed recipe reruns what depends on it, and nothing else.
        recipe=JOBS.recipe,
    shell:
        # exec: a shell in between would die of the signal that asks the training to save its state,
        # and a cluster kills at once what a job has left behind.
        "exec replication train {wildcards.run:q} --threads {threads} > {log:q} 2>&1"
