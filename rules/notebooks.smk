# The notebooks read results and never train. Each leaves its executed copy, and its figures.
for name, book in PLAN.notebooks.items():

    rule:
        name:
            f"notebook_{name}"
        input:
            PLAN.outputs("results/{scale}/tables/{table}.html"),
            PLAN.outputs("results/{scale}/cells.csv"),
        output:
            done=touch(f"results/{{scale}}/notebooks/.{name}.done"),
            svg=report(
                [f"results/{{scale}}/figures/{figure}.svg" for figure in book.figures],
                caption="captions/figure.rst",
                category="Figures",
            ),
            png=[f"results/{{scale}}/figures/{figure}.png" for figure in book.figures],
        log:
            notebook=f"results/{{scale}}/notebooks/{name}.ipynb",
        conda:
            ENVIRONMENT
        notebook:
            f"../notebooks/{name}.ipynb"


rule notebook_page:
    input:
        "results/{scale}/notebooks/.{notebook}.done",
    output:
        "results/{scale}/notebooks/{notebook}.html",
    log:
        "results/{scale}/notebooks/{notebook}.log",
    conda:
        ENVIRONMENT
    params:
        notebook="results/{scale}/notebooks/{notebook}.ipynb",
    shell:
        "jupyter nbconvert --to html {params.notebook:q} > {log:q} 2>&1"


rule notebooks:
    input:
        [f"results/{PLAN.scale.scale}/notebooks/{name}.html" for name in PLAN.notebooks],
