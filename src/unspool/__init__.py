"""Recurrent neural networks that train, sample and explain themselves on an ordinary machine."""

from ._version import __version__
from .cells import GRU, LSTM, RNN, Cell, GRUState, LSTMState, RNNState, project_inputs
from .data import Text, Vocabulary
from .decoding import sample, stream, stream_text
from .errors import (
    ConfigError,
    DataError,
    DivergedError,
    RunError,
    UnknownTokenError,
    UnspoolError,
)
from .models.language import LanguageModel
from .run import Run, load
from .tasks.language import LanguageTask
from .tasks.task import Evaluation, Task
from .training import (
    CheckpointReport,
    EvalReport,
    StartReport,
    StepReport,
    StopReport,
    TrainingConfig,
    train,
)
from .unroll import Stack, unroll

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "CheckpointReport",
    "ConfigError",
    "DataError",
    "DivergedError",
    "EvalReport",
    "Evaluation",
    "GRUState",
    "LSTMState",
    "LanguageModel",
    "LanguageTask",
    "RNNState",
    "Run",
    "RunError",
    "Stack",
    "StartReport",
    "StepReport",
    "StopReport",
    "Task",
    "Text",
    "TrainingConfig",
    "UnknownTokenError",
    "UnspoolError",
    "Vocabulary",
    "__version__",
    "load",
    "project_inputs",
    "sample",
    "stream",
    "stream_text",
    "train",
    "unroll",
]
