"""Trains the recurrent detector. The only module of the package that needs torch."""

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from ghostrouter.detect.detector import Floats, Tick
from ghostrouter.detect.gru import Gru, GruWeights
from ghostrouter.detect.learn import begun_later
from ghostrouter.detect.rolling import INSTANT, instant
from ghostrouter.traces.trace import Trace, padded, padded_labels

_HIDDEN = 16
_EPOCHS = 30
_BATCH = 64
_RATE = 8e-3


def inputs(traces: Sequence[Trace]) -> Floats:
    """The tokens' own features, of shape (traces, tokens, features); 0 behind a trace's end."""
    signals = padded(traces)
    flat = np.nan_to_num(signals.reshape(-1, signals.shape[-1]))
    out = instant(Tick(*flat.T)).reshape(*signals.shape[:2], -1)
    out[np.isnan(signals[:, :, 0])] = 0
    return out


def train(traces: Sequence[Trace], seed: int = 0) -> Gru:
    """A recurrent detector; the same traces and seed give the same weights."""
    torch.manual_seed(seed)
    later = begun_later(traces, Random(seed))
    # Every second trace begins at a later step; by length, so that batches are not mostly padding.
    mixed = [pair[i % 2] for i, pair in enumerate(zip(traces, later, strict=True))]
    traces = sorted(mixed, key=lambda t: len(t.signals))
    x, labels = inputs(traces), padded_labels(traces)
    counts = ~np.isnan(labels)
    mean, scale = x[counts].mean(0), x[counts].std(0) + 1e-3
    gru, head = torch.nn.GRU(len(INSTANT), _HIDDEN, batch_first=True), torch.nn.Linear(_HIDDEN + len(INSTANT), 1)
    parameters = [*gru.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=1e-3)
    batches = -(-len(traces) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=batches * _EPOCHS)
    data, wanted = torch.from_numpy((x - mean) / scale), torch.from_numpy(np.nan_to_num(labels))
    mask = torch.from_numpy(counts)
    for _ in range(_EPOCHS):
        for index in torch.randperm(batches).tolist():
            pick = slice(index * _BATCH, (index + 1) * _BATCH)
            longest = len(traces[pick][-1].signals)
            given = data[pick, :longest]
            logits = head(torch.cat([gru(given)[0], given], -1))[..., 0]
            counted = mask[pick, :longest]
            loss = binary_cross_entropy_with_logits(logits[counted], wanted[pick, :longest][counted])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()

    def array(name: str) -> Floats:
        return getattr(gru, f"{name}_l0").detach().numpy()

    return Gru(
        GruWeights(
            mean=mean,
            scale=scale,
            weight_ih=array("weight_ih"),
            weight_hh=array("weight_hh"),
            bias_ih=array("bias_ih"),
            bias_hh=array("bias_hh"),
            head=head.weight.detach().numpy()[0],
            head_bias=float(head.bias.detach()[0]),
        )
    )
