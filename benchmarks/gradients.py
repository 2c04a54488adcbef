"""By what factor does the gradient of an untrained RNN, GRU and LSTM fall at each step back?

`unspool gradients` on tiny Shakespeare: cells of 128 units, the mean factor over 100 steps.
"""

import json

from unspool.cells import CELLS

from .common import data_file, unspool, write_result


def main() -> None:
    options = [word for cell in CELLS for word in ("--cell", cell)]
    lines = json.loads(
        unspool("gradients", data_file("tiny-shakespeare.txt"), *options, "--hidden", 128, "--json")
    )
    for line in lines:
        print({name: line[name] for name in line if name not in ("median", "low", "high")})
    write_result("gradients", {"hidden": 128, "lines": lines})


if __name__ == "__main__":
    main()
