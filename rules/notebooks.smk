# The notebooks read results and never train. Each leaves its executed copy, its page, and its figures.


rule notebook_tables:
    input:
        JOBS.outputs("results/{scale}/tables/{table}.html"),
    output:
        touch("results/{scale}/notebooks/.tables.done"),
    log:
        notebook="results/{scale}/notebooks/tables.ipynb",
    conda:
        ENVIRONMENT
    notebook:
        "../notebooks/tables.ipynb"


rule notebook_figures:
    input:
        JOBS.outputs("results/{scale}/tables/{table}.csv"),
        JOBS.outputs("results/{scale}/cells.csv"),
    output:
        [
            report(
                f"results/{{scale}}/figures/{name}.svg",
                caption="captions/figure.rst",
                category="Figures",
                labels={"figure": sentence},
            )
            for name, sentence in NOTEBOOKS["figures"].figures.items()
        ],
        [f"results/{{scale}}/figures/{name}.png" for name in NOTEBOOKS["figures"].figures],
        touch("results/{scale}/notebooks/.figures.done"),
    log:
        notebook="results/{scale}/notebooks/figures.ipynb",
    conda:
        ENVIRONMENT
    notebook:
        "../notebooks/figures.ipynb"


rule notebook_dark_knowledge:
    input:
        JOBS.outputs("results/{scale}/cells.csv"),
    output:
        [
            report(
                f"results/{{scale}}/figures/{name}.svg",
                caption="captions/figure.rst",
                category="Figures",
                labels={"figure": sentence},
            )
            for name, sentence in NOTEBOOKS["dark_knowledge"].figures.items()
        ],
        [f"results/{{scale}}/figures/{name}.png" for name in NOTEBOOKS["dark_knowledge"].figures],
        touch("results/{scale}/notebooks/.dark_knowledge.done"),
    log:
        notebook="results/{scale}/notebooks/dark_knowledge.ipynb",
    conda:
        ENVIRONMENT
    notebook:
        "../notebooks/dark_knowledge.ipynb"


rule notebook_claims:
    input:
        JOBS.outputs("results/{scale}/claims.csv"),
        JOBS.outputs("results/{scale}/claims_power.csv"),
    output:
        [
            report(
                f"results/{{scale}}/figures/{name}.svg",
                caption="captions/figure.rst",
                category="Figures",
                labels={"figure": sentence},
            )
            for name, sentence in NOTEBOOKS["claims"].figures.items()
        ],
        [f"results/{{scale}}/figures/{name}.png" for name in NOTEBOOKS["claims"].figures],
        touch("results/{scale}/notebooks/.claims.done"),
    log:
        notebook="results/{scale}/notebooks/claims.ipynb",
    conda:
        ENVIRONMENT
    notebook:
        "../notebooks/claims.ipynb"


# A log is no output, so that the executed copy of a failing notebook stays.
rule notebook_page:
    input:
        "results/{scale}/notebooks/.{notebook}.done",
    output:
        report(
            "results/{scale}/notebooks/{notebook}.html",
            caption="captions/notebook.rst",
            category="Notebooks",
            labels={"notebook": "{notebook}"},
        ),
    log:
        "results/{scale}/notebooks/{notebook}.log",
    conda:
        ENVIRONMENT
    params:
        notebook="results/{scale}/notebooks/{notebook}.ipynb",
    shell:
        # Without mathematics and widgets the page needs nothing from the network; Snakemake's own
        # first cell is left out.
        "jupyter nbconvert --to html --HTMLExporter.mathjax_url= --HTMLExporter.require_js_url="
        " --HTMLExporter.jquery_url= --TagRemovePreprocessor.enabled=True"
        " --TagRemovePreprocessor.remove_cell_tags=snakemake-job-properties"
        " {params.notebook:q} > {log:q} 2>&1"


rule notebooks:
    input:
        JOBS.pages(),
