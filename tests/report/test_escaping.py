"""Free text of a table file is shown as text in every format."""

from support.project import TABLE, Project

TEXT = "<script>alert(1)</script> & \\input{/etc/passwd} | `x`"


def test_tables_show_text_as_text(project: Project) -> None:
    project.change_table(
        lambda table: table.update(
            title=TEXT,
            notes=[TEXT],
            columns={TEXT: {"objective": "label"}},
            rows={TEXT: {"network": "wide_resnet_28_1", "reported": {TEXT: 6.7}}},
        )
    )
    assert project.call(TABLE)[0] == 0
    html, markdown, latex = (
        (project.results / f"tables/small.{ending}").read_text(encoding="utf-8")
        for ending in ("html", "md", "tex")
    )
    assert "<script" not in html
    assert "<script" not in markdown
    assert r"\input{" not in latex
