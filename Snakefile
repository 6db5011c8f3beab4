"""Born-Again Neural Networks: every generation of every network once, and each table of the paper.

snakemake --cores 2                                   everything at the default scale, digits
snakemake --cores 2 table2                            one table and what it needs
snakemake --cores 16 --configfile config/paper.yaml   another scale
snakemake --cores 2 --configfile config/digits.yaml my.yaml    a scale with keys of one's own
"""

import os
import subprocess

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

from replication.runtime import forkserver
from replication.cli import CONFIGFILES, STORED
from replication.errors import InputError
from replication.workflow.rules import Jobs
from replication.report.notebooks import NOTEBOOKS
from replication.workflow.mtimes import sync_mtimes

min_version("9.16")

# A file of overrides that names no scale overrides the default one.
if "scale" not in config:

    configfile: "config/digits.yaml"


STORAGE = workflow.storage_registry.default_storage_provider
try:
    JOBS = Jobs.find(config, workflow.configfiles, stored=STORAGE is not None)
    if workflow.is_main_process:
        sync_mtimes(JOBS.plan)
except InputError as error:
    raise WorkflowError(str(error)) from None
PLAN = JOBS.plan

# Every job reads the scale from the files that Snakemake was given. They are no `params`: a run
# depends on its recipe, not on the names of the files that it stands in.
os.environ[CONFIGFILES] = os.pathsep.join(map(str, workflow.configfiles))
# With a storage they work on the copies that Snakemake makes here of what lies there.
os.environ[STORED] = "results"
if STORAGE is not None:
    there = f"{workflow.storage_settings.default_storage_prefix}/results"
    os.environ[STORED] = str(STORAGE.object(there).local_path())
# It installs this checkout, so that Snakemake cannot make it elsewhere.
ENVIRONMENT = "../environment.yml"
if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
    raise WorkflowError(
        "make the environment once, by `conda env create`, and activate it before snakemake,"
        " without --software-deployment-method conda"
    )


# Small runs train for less time than their imports take. A cluster's jobs import for themselves:
# forked here, a run would escape its job's memory limit, accounting and end.
onstart:
    if workflow.local_exec:
        forkserver.start()


# A run that failed leaves its cells empty, and their tables say why.
onerror:
    if workflow.execution_settings.keep_going and STORAGE is None:
        for command in (["table", "--holes", *PLAN.tables], ["cells"], ["claims"]):
            subprocess.run(["replication", *command], check=False)


# They read results for seconds: no cluster's queue has to be waited in for them.
localrules:
    table,
    cells,
    claims,
    notebook_tables,
    notebook_figures,
    notebook_dark_knowledge,
    notebook_claims,
    notebook_page,


wildcard_constraints:
    scale=PLAN.scale.scale,
    table="|".join(PLAN.tables),


include: "rules/train.smk"
include: "rules/tables.smk"
include: "rules/notebooks.smk"


rule all:
    default_target: True
    input:
        rules.tables.input,
        rules.notebooks.input,
