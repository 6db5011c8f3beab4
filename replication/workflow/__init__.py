"""What the rules of the Snakemake workflow ask of the plan."""
