"""Weights say how they were made, and an export passes it on.

Run: `python -m unittest discover -s models/train/tests -t .`
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import torch

from models.train import card, fit, manifest, nets, provenance


class Provenance(unittest.TestCase):
    def test_only_the_code_counts_as_changed(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.object(provenance, "TRAIN", Path(name)):
            self.assertEqual(provenance.training_commit(), provenance.UNKNOWN)
            (Path(name) / "deep").mkdir()
            files = [Path(name) / file for file in ("deep/net.py", "exported.json", "requirements.txt")]
            for file in files:
                file.write_text("1")
            who = ["-c", "user.name=n", "-c", "user.email=e"]
            for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
                subprocess.run(["git", *words], cwd=name, check=True)
            self.assertFalse(provenance.now()["changed"])
            files[1].write_text("2")
            self.assertFalse(provenance.now()["changed"])
            for file in (files[0], files[2]):
                file.write_text("2")
                self.assertTrue(provenance.training_commit().endswith("-changed"))
                file.write_text("1")

    def test_an_average_tells_what_it_is_of(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.dict(os.environ, {"GAZED_TRAIN_CACHE": name}):
            for tag in ("-a", "-b"):
                torch.save(nets.build("eyes").state_dict(), Path(name) / f"eyes{tag}.pt")
            provenance.write(Path(name) / "eyes-a.pt", {"commit": "1", "seed": 3})
            record = provenance.read(fit.average("eyes", ["-a", "-b"], "-ab"))
        self.assertEqual(record["average_of"], {"-a": {"commit": "1", "seed": 3}, "-b": None})

    def test_the_manifest_keeps_it_and_names_all_data(self) -> None:
        with tempfile.TemporaryDirectory() as name, mock.patch.object(manifest, "STATE", Path(name) / "exported.json"), \
                mock.patch.object(manifest, "MODELS", Path(name)):
            # As exported when less was known.
            manifest.STATE.write_text(json.dumps({"finder": {"sha256": "f", "training_commit": "1", "data": ["Helen"]}}))
            manifest.update("eyes", "e", "2-changed", {"seed": 3})
            state = json.loads(manifest.STATE.read_text())
            self.assertEqual(state["eyes"]["training"], {"seed": 3})
            self.assertIn("face detector", (Path(name) / "manifest.toml").read_text())

    def test_the_card_shows_that_code_was_changed(self) -> None:
        self.assertEqual(card._commit("b54c2e903171b5afc73e78f1e673f4945bfc7715-changed"), "`b54c2e903171-changed`")
        self.assertEqual(card._commit("b54c2e903171b5afc73e78f1e673f4945bfc7715"), "`b54c2e903171`")


if __name__ == "__main__":
    unittest.main()
