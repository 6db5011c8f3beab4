# The notebooks read results. Each leaves its executed copy, its figures and an HTML page.
for name, spec in NOTEBOOKS.items():

    rule:
        name:
            f"notebook_{name}"
        input:
            RULES.outputs("results/{{scale}}/tables/{table}.html"),
            "results/{scale}/tables/quality.html",
            "results/{scale}/claims.csv",
            [f"results/{{scale}}/frames/{frame}.csv" for frame in spec.frames],
            f"notebooks/{name}.ipynb",
        output:
            [
                report(
                    f"results/{{scale}}/figures/{figure}.svg",
                    caption="captions/figure.rst",
                    category="Figures",
                    labels={"figure": sentence},
                )
                for figure, sentence in spec.figures.items()
            ],
            [f"results/{{scale}}/figures/{figure}.png" for figure in spec.figures],
            touch(f"results/{{scale}}/notebooks/.{name}.done"),
        log:
            # A log, not an output, so that the executed copy of a failed notebook stays.
            notebook=f"results/{{scale}}/notebooks/{name}.ipynb",
        localrule: True
        conda:
            ENVIRONMENT
        params:
            # Snakemake reads the path below when the loop has ended.
            name=name,
        notebook:
            "../notebooks/{params.name}.ipynb"


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
    localrule: True
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
        RULES.pages(),
