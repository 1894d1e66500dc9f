"""The clients of the soak, against the real ingress in this process."""

import time

from ray.serve.config import HTTPOptions

from bench.in_process import FOLDER, Service
from bench.servers import free_port
from bench.soak_growth import slope
from bench.soak_load import Clients
from bench.synthetic_engine import SyntheticEngine, answers
from deployments.http.listener import Listener
from ghostrouter.replay.tokenizers import ChatTokenizer


async def test_every_session_is_accounted_for() -> None:
    tokenizer = ChatTokenizer(str(FOLDER))
    engine, port = SyntheticEngine(answers(tokenizer), 0.001), free_port()
    service = Service(engine, tokenizer)
    listener = await Listener.start(service._app, HTTPOptions(host="127.0.0.1", port=port))
    clients = Clients(f"http://127.0.0.1:{port}", 1)
    ends = {name: await act() for name, (_, act) in clients._kinds.items()}
    await clients.run(2, time.monotonic())  # no time is left: nobody asks
    await clients.close()
    await listener.close()
    await service.close()
    engine.stop()
    assert not clients.account.lost and clients.account.sessions == 0
    answered = {name for name, end in ends.items() if end == "answered"}
    assert answered == {"stream", "whole", "tiny", "huge", "slow"}
    assert {ends[name] for name in ("leaves", "leaves_early")} == {"left"}
    assert ends["cancels_response"] in ("cancelled", "completed") and ends["cancels_job"] in ("failed", "complete")
    assert ends["provider"] == "error"  # this service has no cloud models
    assert len(clients.account.first_token_s) == 5 and len(clients.account.ids) >= 6


def test_a_slope_is_not_moved_by_an_outlier() -> None:
    grows = [(float(t), 100.0 + 0.5 * t) for t in range(20)]
    assert slope(grows) == 0.5
    assert slope([*grows, (20.0, 10_000.0)]) < 0.6
