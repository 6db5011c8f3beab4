"""How many modules a training crosses, from its plan to its folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.plans import ROOT, TINY

LABEL = "digits/wide_resnet_28_1.label.0"
BAN = f"{LABEL}/wide_resnet_28_1.ban.0"
FILES = [str(ROOT / "config/digits.yaml"), "tiny.yaml"]
# Trains two runs as `replication train` does, and prints the modules whose functions each calls,
# but not what the plan and the configuration call to answer a question.
CODE = """
import json, sys
from pathlib import Path
import replication
from replication.data.prepare import prepare
from replication.plan.plan import Plan
from replication.training.train_run import train

package = Path(replication.__file__).parent
planning = str(package / "config"), str(package / "plan")
plan = Plan.read([Path(file) for file in sys.argv[3:]])
(dataset,) = {plan.run(run).dataset for run in sys.argv[1:3]}
prepare(dataset.name, plan.scale.data_root, dataset.sizes, plan.scale.evaluate_on)
for run in sys.argv[1:3]:
    called = set()

    def note(frame, event, argument):
        file = frame.f_code.co_filename
        if event != "call" or frame.f_code.co_name == "<module>" or file in called:
            return
        while frame and not frame.f_code.co_filename.startswith(planning):
            frame = frame.f_back
        if frame is None:
            called.add(file)

    sys.setprofile(note)
    train(plan, plan.run(run))
    sys.setprofile(None)
    own = [Path(file) for file in called if file.startswith(str(package))]
    print(json.dumps(sorted(file.relative_to(package).as_posix() for file in own)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tables").symlink_to(ROOT / "tables")
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY), encoding="utf-8")
    return tmp_path


def test_a_training_crosses_few_modules(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, LABEL, BAN, *FILES],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    label, ban = (set(json.loads(line)) for line in done.stdout.splitlines())
    assert {"training/train_run.py", "training/loop.py", "networks/families.py"} <= label
    assert {name for name in label if name.startswith("data/")} == {
        "data/images.py",
        "data/prepared.py",
    }
    assert len(label) < 20, sorted(label)
    # Nothing of language models is needed, nor what only a student needs.
    assert not any("language" in name for name in label)
    assert ban - label == {
        "gradients.py",
        "results/run_record.py",
        "training/teacher.py",
        "training/teacher_logits.py",
    }
