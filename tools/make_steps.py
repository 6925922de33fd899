#!/usr/bin/env python3
"""Whole training steps of every system, computed by PyTorch in float64: golden cases for tests/systems/steps.rs.

    tools/make_steps.py [--out tests/steps] [NAME ...]

Each case holds a configuration and what three or more steps on made-up data must give: every loss, and parameters after
the last step. The references in tools/steps are written from the papers, not from the crate's code.
Needs torch and numpy.
"""

import argparse
import importlib
import json
import pathlib
import pkgutil

import steps
from steps import common


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=pathlib.Path(__file__).parent.parent / "tests/steps", type=pathlib.Path)
    parser.add_argument("names", nargs="*", help="cases to make [default: all]")
    args = parser.parse_args()
    for module in pkgutil.iter_modules(steps.__path__):
        reference = importlib.import_module(f"steps.{module.name}")
        if not hasattr(reference, "cases"):
            continue
        for name, case in reference.cases().items():
            if args.names and name not in args.names:
                continue
            result = common.run(case, reference)
            text = json.dumps(result, indent=1)
            (args.out / f"{name}.json").write_text(text + "\n")
            print(f"{name}: {[[round(v, 5) for v in row] for row in result['losses']]}")


if __name__ == "__main__":
    main()
