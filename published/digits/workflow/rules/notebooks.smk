from replication.report.notebook_catalogue import NOTEBOOKS


# Averages over seeds what the figures of dark knowledge draw.
rule frames:
    input:
        "results/{scale}/cells/table2.csv",
        RULES.frame_inputs(),
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


# The notebooks read results. Each leaves its executed copy, its figures and an HTML page.
for name, spec in NOTEBOOKS.items():

    rule:
        name:
            f"notebook_{name}"
        input:
            expand("results/{{scale}}/tables/{table}.html", table=PLAN.tables),
            "results/{scale}/tables/quality.html",
            "results/{scale}/runs.csv",
            "results/{scale}/claims.csv",
            [f"results/{{scale}}/frames/{frame}.csv" for frame in spec.frames],
            notebook=f"notebooks/{name}.ipynb",
        output:
            [
                report(
                    f"results/{{scale}}/figures/{figure}.svg",
                    caption=f"captions/figures/{figure}.rst",
                    category="Figures",
                    labels={"figure": sentence},
                )
                for figure, sentence in spec.figures.items()
            ],
            [f"results/{{scale}}/figures/{figure}.png" for figure in spec.figures],
            report(
                f"results/{{scale}}/notebooks/{name}.html",
                caption="captions/notebook.rst",
                category="Notebooks",
                labels={"notebook": name},
            ),
        log:
            # A log, not an output, so that the executed copy of a failed notebook stays.
            notebook=f"results/{{scale}}/notebooks/{name}.ipynb",
            text=f"results/{{scale}}/notebooks/{name}.log",
        localrule: True
        conda:
            ENVIRONMENT
        shell:
            # Not Snakemake's `notebook:`, whose progress bars and warnings cannot be kept from the
            # terminal. Without mathematics and widgets the page needs nothing from the network.
            # -r: the name of a scale is text, also where it looks like a number.
            "(papermill --no-progress-bar --log-level ERROR -r scale {wildcards.scale:q}"
            " {input.notebook:q} {log.notebook:q}"
            " && jupyter-nbconvert --to html --log-level ERROR --HTMLExporter.mathjax_url="
            " --HTMLExporter.require_js_url= --HTMLExporter.jquery_url= {log.notebook:q})"
            " > {log.text:q} 2>&1"


rule notebooks:
    input:
        RULES.pages(),
