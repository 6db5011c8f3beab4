"""What the results of a scale say, in sentences that are made from their numbers."""

from collections.abc import Sequence

import pandas as pd

from replication.analysis.claim_verdicts import NOT_MEASURED
from replication.config.paper_names import paper_name
from replication.wording import escaped, signed, with_interval


def describe_table(frame: pd.DataFrame) -> str:
    """Say how many students of a table are better or worse than their teachers, and the extremes.

    ``frame`` is ``tables/<table>.csv``. The text is Markdown.
    """
    students = frame.dropna(subset=["verdict", "delta_vs_teacher"])
    if students.empty:
        return "No cell of this table has a teacher that is measured here."
    counts = students["verdict"].value_counts()
    better, worse, undecided = (int(counts.get(key, 0)) for key in ("better", "worse", "undecided"))
    sentences = [
        f"Of {len(students)} students, {better} are better than their teacher, {worse} are worse,"
        f" and for {undecided} the interval of the difference contains zero, which does not show"
        " that there is no difference."
    ]
    compared = students["agrees"].dropna()
    decided = compared[compared.isin(["yes", "no"])]
    if len(decided):
        sentences.append(
            f"The paper's difference is larger than what two single runs differ by for"
            f" {len(compared)} of them; {len(decided)} of these are decided here,"
            f" {int((decided == 'yes').sum())} in the paper's direction."
        )
    lowest = students.sort_values("delta_vs_teacher").iloc[0]
    numbers = (lowest["delta_vs_teacher"], lowest["delta_ci_low"], lowest["delta_ci_high"])
    place = escaped(f"{paper_name(lowest['row'])}, {paper_name(lowest['column'])}")
    sentences.append(f"The lowest difference is that of {place}: {with_interval(*numbers)}.")
    return " ".join(sentences)


def describe_claims(claims: pd.DataFrame, names: Sequence[str]) -> str:
    """List claims with verdict and evidence, in the given order; those not measured are left out.

    ``claims`` is ``claims.csv``. The text is Markdown.
    """
    by_name = claims.set_index("claim")
    lines = []
    for name in names:
        if name in by_name.index and by_name.loc[name, "reason"] != NOT_MEASURED:
            line = by_name.loc[name]
            lines.append(
                f"- {escaped(str(line['title']))}: **{line['verdict']}**."
                f" {escaped(str(line['evidence']))}"
            )
    return "\n".join(lines) or "*None of the claims about this figure is measured here.*"


def describe_curves(curves: pd.DataFrame) -> str:
    """Say how the two terms of the gradient and its direction end up, for each treatment.

    ``curves`` is ``frames/learning_curves.csv``. The text is Markdown.
    """
    final = curves[curves["epoch"] == curves["epoch"].max()].groupby("column", sort=False)
    shares, cosines = final["ground_truth_share"].mean(), final["ban_cosine"].mean()
    lines = []
    # A teacher has neither.
    for column in shares.dropna().index:
        lines.append(
            f"- {paper_name(str(column))}: the true class ends with"
            f" {100 * shares[column]:.0f} % of ‖q − p‖², and the cosine with BAN's gradient is"
            f" {signed(cosines[column]).lstrip('+')}."
        )
    return "\n".join(lines)
