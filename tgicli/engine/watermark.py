"""Watermark an answer: make half of the vocabulary likelier, another half behind each token.

Used by the runner on the engine thread. The scheme is that of Kirchenbauer et al., A Watermark for
Large Language Models (arXiv:2301.10226), with TGI's constants and in TGI's place
(server/text_generation_server/utils/watermark.py, tokens.py): the token before seeds a generator
that draws the green list, DELTA is added to the logits on it, and penalties, temperature and
filters come later. Whoever knows the constants counts the green tokens of a text and so tells it
from one without a watermark; nobody needs the model for that.

The green lists are those of TGI on a CPU, bit for bit: of torch.randperm with torch's CPU
generator, an MT19937. On a GPU torch draws with another generator, and so TGI has other lists
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.intp]

GAMMA = 0.5  # the green list's share of the vocabulary
DELTA = 2.0  # what is added to a green token's logit
HASH_KEY = 15485863  # times the token before: the generator's seed, of which it takes 32 bits


class Watermark:
    """The green lists of one vocabulary."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # paid only by who asks for it

        self._numpy = np
        self._shape = (n_vocab,)
        self._positions = np.arange(n_vocab)
        self._steps = self._positions[: int(n_vocab * GAMMA)]
        self._n_choices = (n_vocab - self._steps).astype(np.uint64)  # of each step
        # Kept, because memory of this size is given back to the system by who lets it go, and its
        # pages are then got anew, which doubles the time that a mark takes.
        self._last_writer = np.empty_like(self._positions)
        self._bias = np.empty(n_vocab, np.float32)
        self._bits = np.random.MT19937()
        self._seed = np.random.RandomState(self._bits).seed  # what torch calls manual_seed

    def mark(self, logits: Any, previous_id: int) -> None:
        """Add DELTA to the green ones of a row of logits, a pointer to n_vocab floats."""
        self._bias.fill(DELTA)
        self._bias[self.red_ids(previous_id)] = 0
        row = self._numpy.ctypeslib.as_array(logits, self._shape)
        row += self._bias

    def red_ids(self, previous_id: int) -> Ids:
        """Return the ids that are not on the green list behind a token; good until the next call.

        torch.randperm swaps position i with one of those from i on, for each i in turn, and the
        first positions are the green list when their swaps are done. A swap puts into its target
        what stands at i, which came there by the last swap that had i for its target, or was there
        from the beginning. So following the targets backwards tells what is left behind the green
        list without doing a swap, for all positions at once: those that lead to a swap, an i, are
        looked at again.
        """
        np, steps, last_writer = self._numpy, self._steps, self._last_writer
        self._seed(HASH_KEY * previous_id & 0xFFFFFFFF)
        jumps = self._bits.random_raw(len(steps))
        jumps %= self._n_choices
        targets = jumps.view(np.int64)
        targets += steps
        last_writer[:] = self._positions  # a position that nobody swapped holds itself
        last_writer[targets] = steps  # of several writers the last one stays
        red: Ids = last_writer[len(steps) :]
        unsettled = np.flatnonzero(red < len(steps))
        while len(unsettled):
            later = red[unsettled]
            earlier = red[unsettled] = last_writer[later]
            unsettled = unsettled[earlier != later]
        return red
