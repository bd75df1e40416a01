"""Command line: `python -m models.train COMMAND`, from the top of the repository."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Parses the command line and runs one command."""
    parser = argparse.ArgumentParser(prog="python -m models.train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("labels", help="make the teacher's labels, once")
    fit = commands.add_parser("fit", help="train one net")
    fit.add_argument("net", choices=["finder", "landmarks", "eyes"])
    fit.add_argument("--steps", type=int, help="default: the full training")
    fit.add_argument("--seed", type=int, default=1)
    fit.add_argument("--tag", default="", help="suffix of the files in the cache")
    fit.add_argument("--start", help="tag of the weights in the cache to start from, for a second training; \"shipped\": those in models/")
    fit.add_argument("--learning-rate", type=float, default=2e-3, help="peak, lower for a second training")
    fit.add_argument("--synthetic", type=Path, nargs="*", default=[], help="recordings of gazectl synthesize to mix in")
    fit.add_argument("--workers", type=int, default=0, help="processes that draw the batches beside the one that trains")
    mean = commands.add_parser("average", help="average the weights of trainings that followed each other")
    mean.add_argument("net", choices=["finder", "landmarks", "eyes"])
    mean.add_argument("tags", nargs="+", help="tags of the weights in the cache")
    mean.add_argument("--tag", required=True, help="suffix of the average")
    again = commands.add_parser("replay", help="draw one sample of a training again, with its labels")
    again.add_argument("net", choices=["finder", "landmarks", "eyes"])
    again.add_argument("--seed", type=int, default=1)
    again.add_argument("--step", type=int, default=0)
    again.add_argument("--index", type=int, default=0, help="of the sample in the batch")
    again.add_argument("--synthetic", type=Path, nargs="*", default=[], help="the recordings of that training")
    again.add_argument("--out", type=Path, required=True, help="picture to write")
    measure = commands.add_parser("evaluate", help="measure the exported nets")
    measure.add_argument("parts", nargs="+", choices=["validation", "test", "webcam", "synthetic", "false_alarms", "teacher"])
    measure.add_argument("--synthetic", type=Path, nargs="*", default=[], help="recordings for the parts synthetic and teacher")
    measure.add_argument("--rooms", type=Path, nargs="*", default=[], help="recordings with user=absent")
    measure.add_argument("--models", type=Path, help="folder of the ONNX files, default models/")
    measure.add_argument("--write", action="store_true", help="write the numbers to models/train/results.json")
    measure.add_argument("--every", type=int, default=1, help="take every n-th frame of webcam_one_person")
    people = commands.add_parser("synthesize", help="make recordings of synthetic people to train on")
    people.add_argument("out", type=Path)
    people.add_argument("--gazectl", type=Path, default=Path("target/release/gazectl"))
    people.add_argument("--people", type=int, default=150)
    people.add_argument("--first", type=int, default=0)
    people.add_argument("--seconds", type=int, default=5)
    known = commands.add_parser("prior", help="learn what people have in common before calibration")
    known.add_argument("folder", type=Path, help="for the recordings; those already there are kept")
    known.add_argument("--gazectl", type=Path, default=Path("target/release/gazectl"))
    known.add_argument("--people", type=int, default=160)
    factors = commands.add_parser("robustness", help="one factor at a time on the synthetic user")
    factors.add_argument("factors", nargs="*")
    factors.add_argument("--gazectl", type=Path, default=Path("target/release/gazectl"))
    commands.add_parser("audit", help="contact sheet of doubtful labels and the list of faces left out")
    commands.add_parser("card", help="write models/CARD.md from the measured numbers")
    article = commands.add_parser("yardstick", help="train, measure and export the article's EyesNet")
    article.add_argument("--epochs", type=int, default=300)
    article.add_argument("--synthetic", type=Path, nargs="*", default=[], help="recordings of many people, frames of each")
    shares = commands.add_parser("ablation", help="eye nets that differ in the share of rendered samples alone")
    shares.add_argument("--steps", type=int, default=4000)
    shares.add_argument("--synthetic", type=Path, nargs="+", required=True, help="recordings to train on")
    shares.add_argument("--measured", type=Path, nargs="+", required=True, help="recordings of other people to measure on")
    bits = commands.add_parser("precision", help="what fewer bits a weight cost in accuracy")
    bits.add_argument("--synthetic", type=Path, nargs="+", required=True, help="recordings of people never trained on")
    export = commands.add_parser("export", help="write models/NET.onnx, golden pairs and the manifest")
    export.add_argument("net", choices=["finder", "landmarks", "eyes"])
    export.add_argument("--tag", default="")
    arguments = parser.parse_args()
    if arguments.command == "labels":
        from .teacher import make_labels

        make_labels()
    elif arguments.command == "fit":
        from .fit import train

        train(arguments.net, arguments.steps, arguments.seed, arguments.tag, arguments.synthetic, arguments.start,
              arguments.learning_rate, arguments.workers)
    elif arguments.command == "average":
        from .fit import average

        average(arguments.net, arguments.tags, arguments.tag)
    elif arguments.command == "replay":
        from .replay import replay

        replay(arguments.net, arguments.seed, arguments.step, arguments.index, arguments.synthetic, arguments.out)
    elif arguments.command == "yardstick":
        from .yardstick import run

        run(arguments.epochs, arguments.synthetic)
    elif arguments.command == "evaluate":
        from .evaluate import evaluate

        evaluate(arguments.parts, arguments.models, arguments.write, arguments.every, arguments.synthetic,
                 arguments.rooms)
    elif arguments.command == "synthesize":
        from .synthesize import synthesize

        synthesize(arguments.gazectl, arguments.out, arguments.people, arguments.seconds, arguments.first)
    elif arguments.command == "prior":
        from .prior import run

        run(arguments.folder, arguments.gazectl, arguments.people)
    elif arguments.command == "robustness":
        from .robustness import robustness

        robustness(arguments.gazectl, arguments.factors)
    elif arguments.command == "audit":
        from .audit import audit

        audit()
    elif arguments.command == "card":
        from .card import card

        card()
    elif arguments.command == "ablation":
        from .ablation import ablation

        ablation(arguments.steps, arguments.synthetic, arguments.measured)
    elif arguments.command == "precision":
        from .precision import precision

        precision(arguments.synthetic)
    elif arguments.command == "export":
        from .export import export as write

        write(arguments.net, arguments.tag)


if __name__ == "__main__":
    main()
