"""Damaged text data: one line that names the file."""

from support.project import FILES, LSTM, WRONG, Project, binary


def test_a_damaged_penn_treebank_is_refused(project: Project) -> None:
    folder = project / "data/penn_treebank"
    folder.mkdir(parents=True)
    for part in ("train", "valid", "test"):
        binary(folder / f"ptb.{part}.txt")
    project.override(datasets={"ptb": {"name": "penn_treebank", "words": None, "train": None}})
    arguments = ["train", LSTM.replace("python_reference", "penn_treebank"), *FILES, *WRONG]
    project.refuses(arguments, "penn_treebank/ptb.train.txt is not Mikolov's file", "delete it")


def test_more_words_than_there_are_are_refused(project: Project) -> None:
    project.override(datasets={"ptb": {"train": 10**8}})
    project.refuses(["train", LSTM, *FILES, *WRONG], "python_reference: `train`", "lower it")
