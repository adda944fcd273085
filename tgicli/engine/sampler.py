"""Choose a token from a row of logits, by a llama.cpp sampler chain of the sequence's own.

Called by the runner on the engine thread. The chain is TGI's order of logit processing: repetition,
frequency and presence penalty over prompt and output, temperature, top-k, top-p, typical-p; then
min-p, which TGI lacks; then the draw. Before them comes OpenAI's logit bias, and before that the
watermark, in the row of logits itself. A log-probability is the natural logarithm after all of
these (log-softmax of what is left), so it is 0.0 with top_k = 1.

What a grammar forbids is no candidate at all. That is the same as TGI's mask behind the penalties,
but for typical-p, whose entropy would be NaN with logits of minus infinity.

Every sequence draws from a generator of its own, so its tokens do not depend on its neighbours;
what may depend on them is the last bit of a logit, because llama.cpp sums in another order in
another batch.
"""

from __future__ import annotations

import ctypes
import math
import secrets
from typing import TYPE_CHECKING, Any

from tgicli.core import SamplingParams
from tgicli.engine.llama import llama_cpp
from tgicli.errors import DecodeFailed

if TYPE_CHECKING:
    from tgicli.engine.grammar import Ids

NEGLIGIBLE = 1e-30  # a share of the best token's probability, above the smallest float32
SAFE_LOGIT = 60.0  # e^60 times a vocabulary is far below float32's largest, e^-60 above its least
NO_NUMBERS = "the model computed no numbers (NaN): its weights may be damaged"
LLAMA_DEFAULT_SEED = 0xFFFFFFFF  # llama.cpp takes this one as "draw a seed"

# A token's id, its log-probability, and the ids of the most likely ones with theirs.
Scored = tuple[int, float, list[tuple[int, float]]]


def draw_seed() -> int:
    """Draw a seed; it is below 2**32 - 1, so `fold_seed` leaves it as it is."""
    return secrets.randbelow(LLAMA_DEFAULT_SEED)


def fold_seed(seed: int) -> int:
    """Turn a 64-bit seed into llama.cpp's 32 bits."""
    folded = (seed ^ (seed >> 32)) & 0xFFFFFFFF
    return 0 if folded == LLAMA_DEFAULT_SEED else folded


class LogSoftmax:
    """The log-softmax of one row of logits, in a buffer of its own."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # 90 ms, paid only by who asks for log-probabilities

        self._numpy = np
        self._room = np.empty(n_vocab, dtype=np.float32)  # used again for each row

    def __call__(
        self,
        logits: Any,
        index: int,
        n_top: int = 0,
        ids: Any = None,
        *,
        is_largest: bool = False,
    ) -> tuple[float, list[tuple[int, float]]]:
        """Return the log-probability at an index, and the n_top best ids with theirs.

        An id is an index, unless there are ids. Ties are in the order of the ids. is_largest: the
        largest logit is at the index, which spares looking for it.

        Raises:
            DecodeFailed: not all logits are numbers.
        """
        log_sum = self._log_sum(logits, float(logits[index] if is_largest else logits.max()))
        best = self._best(logits, n_top, ids) if n_top else ()
        top = [(token_id, min(0.0, float(logits[i]) - log_sum)) for i, token_id in best]
        return min(0.0, float(logits[index]) - log_sum), top

    def _log_sum(self, logits: Any, largest: float) -> float:
        if not math.isfinite(largest):  # numpy takes NaN for the largest of all
            raise DecodeFailed(NO_NUMBERS)
        np, powers = self._numpy, self._room[: len(logits)]
        shift = 0.0 if abs(largest) < SAFE_LOGIT else largest  # without, a pass over the row less
        np.exp(np.subtract(logits, shift, out=powers) if shift else logits, out=powers)
        total = float(np.add.reduce(powers))  # sum() without the detour over Python
        return shift + math.log(total)

    def _best(self, logits: Any, n_top: int, ids: Any) -> list[tuple[int, int]]:
        """Return the indices of the largest logits, with their ids."""
        np, n = self._numpy, min(n_top, len(logits))
        indices = np.argpartition(-logits, n - 1)[:n]
        found = indices if ids is None else ids[indices]
        order = np.lexsort((found, -logits[indices]))
        return list(zip(indices[order].tolist(), found[order].tolist(), strict=True))


class Reader:
    """Reads a row of logits directly; a sampler chain would copy it first."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # as above

        self._as_array = np.ctypeslib.as_array
        self._shape = (n_vocab,)
        self._rows: dict[int, Any] = {}  # by address: llama.cpp uses the same few again and again
        self._log_softmax = LogSoftmax(n_vocab)

    def _row(self, logits: Any) -> Any:
        """Return a pointer's row as an array; making one takes longer than looking at it."""
        address = ctypes.addressof(logits.contents)
        row = self._rows.get(address)
        if row is None:
            row = self._rows[address] = self._as_array(logits, self._shape)
        return row

    def largest(self, logits: Any) -> int:
        """Return the first of the largest logits, as llama.cpp's greedy sampler does."""
        return int(self._row(logits).argmax())

    def largest_with_logprobs(self, logits: Any, n_top: int) -> Scored:
        """Return it with its log-probability, and the n_top best ids with theirs."""
        row = self._row(logits)
        token_id = int(row.argmax())
        return token_id, *self._log_softmax(row, token_id, n_top, is_largest=True)

    def logprob(self, logits: Any, token_id: int) -> float:
        """Return the log-probability that the model itself gives a token."""
        return self._log_softmax(self._row(logits), token_id)[0]


class Candidates:
    """Room for one row of logits in the form that samplers work on, used again for each row."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # as above

        self._numpy = np
        self._n_vocab = n_vocab
        self._log_softmax = LogSoftmax(n_vocab)
        self._ids = np.arange(n_vocab, dtype=np.int32)
        self._rows = np.empty(
            n_vocab, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)]
        )
        self.array = llama_cpp.llama_token_data_array()
        self._data = self._rows.ctypes.data_as(llama_cpp.llama_token_data_p)

    def fill(self, logits: Any, allowed: Ids | None = None, bias: Any = None) -> None:
        """Take over one row of logits, a pointer to n_vocab floats; of the allowed ids only.

        bias is n_vocab floats that are added to these.
        """
        row = self._numpy.ctypeslib.as_array(logits, (self._n_vocab,))
        ids = self._ids if allowed is None else allowed
        rows = self._rows[: len(ids)]
        rows["id"] = ids
        rows["logit"] = row if allowed is None else row[allowed]
        if bias is not None:
            rows["logit"] += bias[ids]
        self.array.data = self._data
        self.array.size = len(ids)
        self.array.selected = -1
        self.array.sorted = False

    @property
    def selected_id(self) -> int:
        """The id that a chain has chosen."""
        return int(self._rows["id"][self.array.selected])

    def logprobs(self, n_top: int) -> Scored:
        """Return the selected id, its log-probability, and the n_top best ids with theirs.

        Ties are in the order of their ids.
        """
        left = self._rows[: self.array.size]
        logits = left["logit"].astype(self._numpy.float32)  # a copy without gaps
        found = self._log_softmax(logits, self.array.selected, n_top, left["id"])
        return self.selected_id, *found


class Sampler:
    """One sequence's chain. Close it when the sequence ends."""

    def __init__(
        self, params: SamplingParams, prompt: list[int], *, n_vocab: int, n_ctx: int
    ) -> None:
        self._n_top = params.top_n_tokens
        self.bias = _dense_bias(params, n_vocab)
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        for link in _links(params, n_vocab=n_vocab, n_ctx=n_ctx):
            llama_cpp.llama_sampler_chain_add(self._chain, link)
        if params.has_penalties:
            for token_id in prompt:
                llama_cpp.llama_sampler_accept(self._chain, token_id)

    def sample(self, ctx: Any, index: int) -> int:
        """Return the next token of output `index` of the last batch, and remember it."""
        return int(llama_cpp.llama_sampler_sample(self._chain, ctx, index))

    def sample_among(self, candidates: Candidates) -> int:
        """Return the next token, one of the candidates, and remember it."""
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(candidates.array))
        token_id = candidates.selected_id
        llama_cpp.llama_sampler_accept(self._chain, token_id)
        return token_id

    def sample_with_logprobs(self, candidates: Candidates) -> Scored:
        """Return the next token, its log-probability and the best ones, and remember it."""
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(candidates.array))
        scored = candidates.logprobs(self._n_top)
        llama_cpp.llama_sampler_accept(self._chain, scored[0])
        return scored

    def close(self) -> None:
        """Free the chain and what is in it."""
        llama_cpp.llama_sampler_free(self._chain)


def _dense_bias(params: SamplingParams, n_vocab: int) -> Any:
    """Return what is added to each logit, where a grammar leaves some; else the chain adds it.

    There an id is no index any more, and llama.cpp would look each of them up among all.
    """
    if params.grammar is None or not params.logit_bias:
        return None
    import numpy as np  # as above

    bias = np.zeros(n_vocab, dtype=np.float32)
    for token_id, value in params.logit_bias:
        if token_id < n_vocab:
            bias[token_id] += value
    return bias


def _links(params: SamplingParams, *, n_vocab: int, n_ctx: int) -> list[Any]:
    """Return the samplers of a chain, in order; one that would change nothing is left out."""
    links = []
    if params.logit_bias and params.grammar is None:
        biases = (llama_cpp.llama_logit_bias * len(params.logit_bias))(*params.logit_bias)
        links.append(llama_cpp.llama_sampler_init_logit_bias(n_vocab, len(biases), biases))
    if params.has_penalties:
        links.append(
            llama_cpp.llama_sampler_init_penalties(
                n_vocab,
                n_ctx,  # remember everything
                params.repetition_penalty,
                params.frequency_penalty,
                params.presence_penalty,
            )
        )
    if params.is_greedy:
        return [*links, llama_cpp.llama_sampler_init_greedy()]
    if params.temperature != 1:
        links.append(llama_cpp.llama_sampler_init_temp(params.temperature))
    if params.top_k > 0:
        links.append(llama_cpp.llama_sampler_init_top_k(params.top_k))
    if params.top_p < 1:
        links.append(llama_cpp.llama_sampler_init_top_p(params.top_p, 1))
    if params.typical_p < 1:
        # NOTE: a probability of zero makes the entropy of llama.cpp's typical-p NaN.
        links.append(llama_cpp.llama_sampler_init_min_p(NEGLIGIBLE, 1))
        links.append(llama_cpp.llama_sampler_init_typical(params.typical_p, 1))
    if params.min_p > 0:
        links.append(llama_cpp.llama_sampler_init_min_p(params.min_p, 1))
    assert params.seed is not None, "the seed is drawn at admission"
    return [*links, llama_cpp.llama_sampler_init_dist(fold_seed(params.seed))]
