# What the report opens with.
report: "captions/report.rst"


config["description"] = RULES.description
