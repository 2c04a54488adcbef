"""Recurrent neural networks that train, sample and explain themselves on an ordinary machine."""

from . import _startup  # noqa: F401 (first: the other imports take a second)
from ._version import __version__
from .bidirectional import Bidirectional
from .cells import GRU, LSTM, RNN, Cell, GRUState, LSTMState, RNNState, project_inputs
from .data import CaptionData, LabelledData, PairData, Text, Vocabulary
from .decoding import sample, stream, stream_text
from .errors import (
    ConfigError,
    DataError,
    DivergedError,
    RunError,
    UnknownTokenError,
    UnspoolError,
)
from .heap import keep_freed_memory
from .models.captioner import Captioner
from .models.classifier import Classifier
from .models.generator import Generator
from .models.glimpse import GlimpseClassifier
from .models.language import LanguageModel
from .models.tagger import Tagger
from .models.translator import Translator
from .run import (
    CaptionerRun,
    ClassifierRun,
    GeneratorRun,
    GlimpseRun,
    Run,
    TaggerRun,
    TranslatorRun,
    load,
)
from .tasks.caption import CaptionTask
from .tasks.generate import GenerateTask
from .tasks.glimpse import GlimpseTask
from .tasks.labelled import ClassifyTask, TagTask
from .tasks.language import LanguageTask
from .tasks.task import Evaluation, Task
from .tasks.translate import TranslateTask
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
    "Bidirectional",
    "CaptionData",
    "CaptionTask",
    "Captioner",
    "CaptionerRun",
    "Cell",
    "CheckpointReport",
    "Classifier",
    "ClassifierRun",
    "ClassifyTask",
    "ConfigError",
    "DataError",
    "DivergedError",
    "EvalReport",
    "Evaluation",
    "GRUState",
    "GenerateTask",
    "Generator",
    "GeneratorRun",
    "GlimpseClassifier",
    "GlimpseRun",
    "GlimpseTask",
    "LSTMState",
    "LabelledData",
    "LanguageModel",
    "LanguageTask",
    "PairData",
    "RNNState",
    "Run",
    "RunError",
    "Stack",
    "StartReport",
    "StepReport",
    "StopReport",
    "TagTask",
    "Tagger",
    "TaggerRun",
    "Task",
    "Text",
    "TrainingConfig",
    "TranslateTask",
    "Translator",
    "TranslatorRun",
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

keep_freed_memory()  # before XLA starts its threads
