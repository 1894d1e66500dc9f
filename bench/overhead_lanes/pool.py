"""The cloud pool, with its breakers, its echo trimming, its signals and its frames; without Ray."""

import asyncio
import json
import sys
import time

from deployments.cloud_pool import CloudPool, CloudRuntime, CloudSettings
from ghostrouter.config import CloudModel, Sessions
from ghostrouter.conversation import Message
from ghostrouter.replay.continuation import cloud_prompt
from ghostrouter.types import Sampling, SegmentKey, SegmentRequest


async def main(url: str, calls: int, connections: int) -> None:
    row = {"name": "m", "base_url": url, "model": "short", "context_tokens": 4096, "continues": "assistant"}
    model = CloudModel.model_validate(row)
    pool = CloudPool(CloudSettings([model], Sessions()), runtime=CloudRuntime(lambda *metric, **labels: None))

    async def worker(name: int, count: int) -> None:
        for i in range(count):
            prompt = cloud_prompt(model, (Message("user", "Who was Mira?"),), False, "")
            key = SegmentKey(f"{name}-{i}", 0)
            request = SegmentRequest(key, "m", (), 0, Sampling(max_tokens=50), cloud=prompt)
            text = "".join([t.text async for frame in pool.write(request) for t in frame.tokens])
            assert text.endswith("She")

    await asyncio.gather(*(worker(w, 3) for w in range(connections)))
    began_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(w, calls // connections) for w in range(connections)))
    done = calls // connections * connections
    cpu_ms = (time.process_time() - cpu_s) * 1000 / done
    print(json.dumps({"cpu_ms_per_call": cpu_ms, "calls_per_s": done / (time.perf_counter() - began_s)}))
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
