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

from tgicli.core import SamplingParams, TopToken
from tgicli.engine.llama import llama_cpp
from tgicli.engine.model import Model

if TYPE_CHECKING:
    from tgicli.engine.grammar import Ids

NEGLIGIBLE = 1e-30  # a share of the best token's probability, above the smallest float32
LLAMA_DEFAULT_SEED = 0xFFFFFFFF  # llama.cpp takes this one as "draw a seed"


def draw_seed() -> int:
    """Draw a seed; it is below 2**32 - 1, so `fold_seed` leaves it as it is."""
    return secrets.randbelow(LLAMA_DEFAULT_SEED)


def fold_seed(seed: int) -> int:
    """Turn a 64-bit seed into llama.cpp's 32 bits."""
    folded = (seed ^ (seed >> 32)) & 0xFFFFFFFF
    return 0 if folded == LLAMA_DEFAULT_SEED else folded


class Argmax:
    """The greedy choice without a chain, which would first copy the whole row."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # as below

        self._as_array = np.ctypeslib.as_array
        self._shape = (n_vocab,)

    def __call__(self, logits: Any) -> int:
        """Return the first of the largest logits, as llama.cpp's greedy sampler does."""
        return int(self._as_array(logits, self._shape).argmax())


class Candidates:
    """Room for one row of logits in the form that samplers work on, used again for each row."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # 90 ms, paid only by who asks for log-probabilities

        self._numpy = np
        self._n_vocab = n_vocab
        self._ids = np.arange(n_vocab, dtype=np.int32)
        self._rows = np.empty(
            n_vocab, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)]
        )
        self.array = llama_cpp.llama_token_data_array()
        self._data = self._rows.ctypes.data_as(llama_cpp.llama_token_data_p)

    def fill(self, logits: Any, allowed: Ids | None = None) -> None:
        """Take over one row of logits, a pointer to n_vocab floats; of the allowed ids only."""
        row = self._numpy.ctypeslib.as_array(logits, (self._n_vocab,))
        ids = self._ids if allowed is None else allowed
        rows = self._rows[: len(ids)]
        rows["id"] = ids
        rows["logit"] = row if allowed is None else row[allowed]
        self.array.data = self._data
        self.array.size = len(ids)
        self.array.selected = -1
        self.array.sorted = False

    @property
    def selected_id(self) -> int:
        """The id that a chain has chosen."""
        return int(self._rows["id"][self.array.selected])

    def logprobs(self, n_top: int) -> tuple[int, float, list[tuple[int, float]]]:
        """Return the selected id, its log-probability, and the n_top best ids with theirs.

        Ties are in the order of their ids.
        """
        np = self._numpy
        left = self._rows[: self.array.size]
        logits = left["logit"].astype(np.float32)  # a copy without gaps
        log_sum = _log_sum_exp(np, logits)
        selected = left[self.array.selected]
        top = []
        if n_top:
            n = min(n_top, len(left))
            indices = np.argpartition(-logits, n - 1)[:n]
            order = np.lexsort((left["id"][indices], -logits[indices]))
            top = [
                (int(left["id"][i]), min(0.0, float(logits[i]) - log_sum)) for i in indices[order]
            ]
        return int(selected["id"]), min(0.0, float(selected["logit"]) - log_sum), top


class Scorer:
    """The log-probability that the model itself gives a token, without penalties or filters."""

    def __init__(self, n_vocab: int) -> None:
        import numpy as np  # as above

        self._numpy = np
        self._shape = (n_vocab,)

    def __call__(self, logits: Any, token_id: int) -> float:
        """Return the natural logarithm of a token's probability under a row of logits."""
        row = self._numpy.ctypeslib.as_array(logits, self._shape)
        return min(0.0, float(row[token_id]) - _log_sum_exp(self._numpy, row))


def _log_sum_exp(np: Any, logits: Any) -> float:
    best = float(logits.max())
    return best + math.log(float(np.exp(logits - best).sum(dtype=np.float64)))


class Sampler:
    """One sequence's chain. Close it when the sequence ends."""

    def __init__(
        self, params: SamplingParams, prompt: list[int], *, model: Model, n_ctx: int
    ) -> None:
        self._params = params
        self._model = model
        self._chain = llama_cpp.llama_sampler_chain_init(
            llama_cpp.llama_sampler_chain_default_params()
        )
        for link in _links(params, n_vocab=model.n_vocab, n_ctx=n_ctx):
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

    def sample_with_logprobs(
        self, candidates: Candidates
    ) -> tuple[int, float, tuple[TopToken, ...]]:
        """Return the next token, its log-probability and the best ones, and remember it."""
        llama_cpp.llama_sampler_apply(self._chain, ctypes.byref(candidates.array))
        token_id, logprob, top = candidates.logprobs(self._params.top_n_tokens)
        llama_cpp.llama_sampler_accept(self._chain, token_id)
        return token_id, logprob, tuple(self._to_top_token(*item) for item in top)

    def _to_top_token(self, token_id: int, logprob: float) -> TopToken:
        piece = self._model.piece(token_id)
        return TopToken(token_id, piece.data.decode("utf-8", "replace"), logprob, piece.special)

    def close(self) -> None:
        """Free the chain and what is in it."""
        llama_cpp.llama_sampler_free(self._chain)


def _links(params: SamplingParams, *, n_vocab: int, n_ctx: int) -> list[Any]:
    """Return the samplers of a chain, in order; one that would change nothing is left out."""
    links = []
    if params.logit_bias:
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
