"""Born-Again Neural Networks: trains every network once and builds each table of the paper.

snakemake --cores 2                                   everything at the default scale, digits
snakemake --cores 2 table2                            one table and what it needs
snakemake --cores 16 --configfile config/paper.yaml   another scale
snakemake --cores 2 --configfile config/digits.yaml my.yaml    a scale with keys of your own
snakemake --cores 2 --quiet host                      with a description of every job
"""

from snakemake.utils import min_version

from replication.runtime.forkserver import ForkServer
from replication.workflow.progress import show_progress
from replication.workflow.rules import read_rules

min_version("9.16")

RULES = read_rules(workflow)
PLAN = RULES.plan
CONFIGFILES = RULES.configfiles
# It installs this checkout, which Snakemake cannot do in another folder.
ENVIRONMENT = "../environment.yml"

show_progress(workflow)

# Small runs train for less time than their imports take. A cluster's jobs import for themselves:
# a process forked here would escape its job's memory limit and accounting.
WORKER = ForkServer()


onstart:
    if workflow.local_exec:
        WORKER.start()


onerror:
    if workflow.execution_settings.keep_going:
        RULES.write_partial_tables()


wildcard_constraints:
    scale=PLAN.scale.scale,
    table="|".join(PLAN.tables),
    dataset="|".join(RULES.datasets),


include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/tables.smk"
include: "rules/analysis.smk"
include: "rules/report.smk"
include: "rules/notebooks.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.notebooks.input,
