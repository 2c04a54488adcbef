"""Recurrent neural networks that train, sample and explain themselves on an ordinary machine."""

from . import _startup  # noqa: F401 (first: the other imports take a second)
from ._version import __version__
from .bidirectional import Bidirectional
from .cells import GRU, LSTM, RNN, Cell, GRUState, LSTMState, RNNState, project_inputs
from .data import CaptionData, LabelledData, PairData, Text, Vocabulary
from .decoding import sample, stream
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
from .models.draw import DrawModel
from .models.generator import Generator
from .models.glimpse import GlimpseClassifier
from .models.language import LanguageModel
from .models.tagger import Tagger
from .models.translator import Translator
from .tasks.caption.run import CaptionerRun
from .tasks.caption.task import CaptionTask
from .tasks.draw.run import DrawRun
from .tasks.draw.task import DrawTask
from .tasks.generate.run import GeneratorRun
from .tasks.generate.task import GenerateTask
from .tasks.glimpse.run import GlimpseRun
from .tasks.glimpse.task import GlimpseTask
from .tasks.label.run import ClassifierRun, TaggerRun
from .tasks.label.task import ClassifyTask, TagTask
from .tasks.registry import load
from .tasks.text.run import Run
from .tasks.text.stream import stream_text
from .tasks.text.task import LanguageTask
from .tasks.translate.run import TranslatorRun
from .tasks.translate.task import TranslateTask
from .training import (
    CheckpointReport,
    EvalReport,
    StartReport,
    StepReport,
    StopReport,
    TrainingConfig,
    train,
)
from .training.task import Evaluation, Task
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
    "DrawModel",
    "DrawRun",
    "DrawTask",
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
