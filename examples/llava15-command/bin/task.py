"""The two files that a program under executor `command` talks through (docs/config.md). Standard library only."""
import json
import os
import subprocess
import sys


class Task:
    def __init__(self):
        with open(os.environ["ACSWEEP_PARAMS"], encoding="utf-8") as f:
            self.file = json.load(f)
        self.kind = self.file["kind"]
        self.parameters = self.file["parameters"]          # decides the result
        self.execution = self.file["execution"]            # only how to get there
        self.names = self.execution["names"]
        self.out = os.environ["ACSWEEP_OUT"]
        self.checkpoint = os.environ["ACSWEEP_CHECKPOINT_DIR"]

    def input(self, name):
        """Path of the only artifact of an input."""
        artifacts = self.file["inputs"][name]["artifacts"]
        if len(artifacts) != 1:
            self.fail("data", f"input {name} has {len(artifacts)} artifacts, wanted one")
        return next(iter(artifacts.values()))

    def inputs(self, prefix):
        """Paths of the inputs PREFIX:0, PREFIX:1 ..., in order."""
        paths = []
        while f"{prefix}:{len(paths)}" in self.file["inputs"]:
            paths.append(self.input(f"{prefix}:{len(paths)}"))
        return paths

    def done(self, metrics=None, artifacts=None):
        answer = {"metrics": metrics or {},
                  "artifacts": [{"name": k, "path": v} for k, v in (artifacts or {}).items()]}
        with open(os.environ["ACSWEEP_RESULT"], "w", encoding="utf-8") as f:
            json.dump(answer, f)

    def fail(self, failure, message):
        """failure: infrastructure, gpu_oom, host_oom, data, code or timeout."""
        with open(os.environ["ACSWEEP_RESULT"], "w", encoding="utf-8") as f:
            json.dump({"failure": {"class": failure, "message": message}}, f)
        sys.exit(1)

    def look_up(self, table, key, where):
        if key not in table:
            self.fail("data", f"'{key}' is not in {where} of settings.py")
        return table[key]

    def run(self, words, directory):
        """The program's own output is the task's log; its failure is ours."""
        print("+", " ".join(words), flush=True)
        code = subprocess.run(words, cwd=directory, check=False).returncode
        if code:
            sys.exit(code if code > 0 else 128 - code)


def gpus():
    visible = [d for d in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if d]
    return max(1, len(visible))
