"""The public names: additions and removals are decisions, so they are written down twice."""

import unspool

NAMES = {
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
}


def isort_style(name: str) -> tuple[int, str]:
    """Constants, then classes, then the rest, as ruff orders `__all__` (RUF022)."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_the_public_names_are_these():
    assert set(unspool.__all__) == NAMES
    assert len(unspool.__all__) == len(NAMES)


def test_the_public_names_are_sorted():
    assert unspool.__all__ == sorted(unspool.__all__, key=isort_style)


def test_every_public_name_exists_and_has_a_docstring():
    for name in unspool.__all__:
        assert getattr(unspool, name).__doc__, name
