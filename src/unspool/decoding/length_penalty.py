"""Divide log probabilities by a function of length, since long sentences are less likely."""

from typing import Any, NamedTuple

MOST = 5  # bound of the power both ways, so that powers of lengths stay finite
FORMS = {"power": 0, "gnmt": 5}  # k, the tokens that are added


class LengthPenalty(NamedTuple):
    """score(y) = log p(y) / lp(y),  lp(y) = ((k + |y|) / (k + 1)) ** power

    |y| is the number of tokens, END included. The form "power" has k = 0, so that lp is |y| **
    power: `power` 1 gives the mean log probability of a token, 0 ranks by probability, which
    favours short sentences. "gnmt" has k = 5, which distinguishes less between short sentences.
    Both are in Wu et al. 2016, arXiv 1609.08144, section 7: the first as what they tried, the
    second as what they used.
    """

    power: Any
    offset: Any  # k

    @classmethod
    def create(cls, power: float, form: str = "power") -> "LengthPenalty":
        """Create a penalty from `length_penalty` and `length_penalty_form` of `Beam`."""
        return cls(float(power), float(FORMS[form]))

    def score(self, log_p: Any, length: Any) -> Any:
        """Divide log probabilities of sequences of `length` tokens."""
        return log_p / ((self.offset + length) / (self.offset + 1)) ** self.power
