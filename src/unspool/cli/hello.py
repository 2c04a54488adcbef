"""`unspool hello`."""

from ..tasks.text.hello import VOCABULARY, WORD, spell_hello
from .session import prepare


def hello() -> None:
    """Run the lecture's example: a 3-unit network learns to spell "hello", with all its numbers."""
    prepare()
    result = spell_hello()
    print(
        f'A vanilla RNN with 3 hidden units learns "{WORD}"; vocabulary: {" ".join(VOCABULARY)}\n'
    )
    print("    h_t = tanh(W_xh x_t + W_hh h_{t-1} + b)      y_t = W_hy h_t + b_y\n")
    for count, loss in result.losses:
        print(f"loss after {count:3} steps: {loss:.4f} nats per character")
    header = "  ".join(f"{c:>6}" for c in VOCABULARY)
    for t, step in enumerate(result.steps, start=1):
        print(f"\nt = {t}   input {step.input!r}, target {step.target!r}")
        print(f"                  {header}")
        print(f"  input x_t       {_row(step.one_hot, '6.0f')}")
        print(f"  hidden h_t      {_row(step.hidden, '+6.2f')}")
        print(f"  scores y_t      {_row(step.scores, '+6.2f')}")
        print(f"  probabilities   {_row(step.probabilities, '6.3f')}")
    print(f'\nFrom "{WORD[0]}" it writes: {result.written}')


def _row(values, form: str) -> str:  # type: ignore[no-untyped-def]
    return "  ".join(format(float(value), form) for value in values)
