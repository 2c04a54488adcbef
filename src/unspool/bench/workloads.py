"""The workloads, and the least work that each needs."""

from typing import NamedTuple

from ..cells import CELLS
from ..models.language import LanguageModel

GATES = {name: max(1, len(cell.gate_names)) for name, cell in CELLS.items()}
VOCABULARY = 65  # as many as tiny Shakespeare has characters
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


class Workload(NamedTuple):
    """A language model over one-hot tokens, and for training its batch and steps per chunk."""

    cell: str
    layers: int
    hidden: int
    batch: int = 1
    steps: int = 1

    @property
    def name(self) -> str:
        return f"{self.cell} {self.layers}x{self.hidden}"

    @property
    def matrix_elements(self) -> int:
        """Return the elements of the matrices that a token is multiplied by.

        The first layer's input product is with a one-hot vector: a lookup, and not counted.
        """
        matrix = GATES[self.cell] * self.hidden**2
        return (2 * self.layers - 1) * matrix + VOCABULARY * self.hidden

    @property
    def training_flops(self) -> int:
        """Return the FLOPs of a training step's products: one forward, two backward."""
        return 3 * 2 * self.matrix_elements * self.batch * self.steps

    def token_bytes(self, weights: str) -> int:
        """Return the bytes of matrices that a sampled token has to read at batch 1 (scales too)."""
        rows = (2 * self.layers - 1) * GATES[self.cell] * self.hidden + VOCABULARY
        return self.matrix_elements * BYTES[weights] + (4 * rows if weights == "int8" else 0)

    def model(self) -> LanguageModel:
        return LanguageModel.create(
            VOCABULARY, cell=self.cell, hidden_size=self.hidden, num_layers=self.layers
        )


TRAINING = (
    *(Workload(cell, 2, 128, 50, 50) for cell in GATES),
    *(Workload(cell, 1, 256, 64, 100) for cell in GATES),
    *(Workload(cell, 2, 512, 50, 50) for cell in GATES),
    Workload("lstm", 3, 512, 100, 100),
)
SAMPLING = (Workload("lstm", 2, 128), Workload("lstm", 2, 512), Workload("gru", 2, 512))

QUICK_TRAINING = tuple(Workload(cell, 1, 32, 4, 8) for cell in GATES)
QUICK_SAMPLING = (Workload("lstm", 1, 32),)
