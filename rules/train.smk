# Trains one run; its folder lies in its teacher's.
rule train:
    input:
        PLAN.teacher_model,
    output:
        model="results/{scale}/runs/{run}/model.safetensors",
        predictions="results/{scale}/runs/{run}/predictions.safetensors",
        history="results/{scale}/runs/{run}/history.csv",
        record="results/{scale}/runs/{run}/run.json",
    log:
        "results/{scale}/runs/{run}/train.log",
    conda:
        ENVIRONMENT
    threads: PLAN.threads
    resources:
        gpu=PLAN.gpus,
        gpu_slots=PLAN.gpu_slots,
        mem_mb=PLAN.mem_mb,
        runtime=PLAN.runtime,
    params:
        # A changed recipe reruns what depends on it, and nothing else.
        recipe=PLAN.recipe_param,
    shell:
        "replication train {wildcards.run:q} --threads {threads} > {log:q} 2>&1"
