"""Asks a running service the questions of the shipped models, four at a time: the load of `make observe`."""

import sys
from concurrent.futures import ThreadPoolExecutor

import httpx

from models import questions

_COUNT = 40


def main(url: str) -> None:
    """Ask some questions, each as a stream."""
    with httpx.Client(base_url=url, timeout=120) as client, ThreadPoolExecutor(4) as pool:

        def ask(question: questions.Question) -> None:
            body = {
                "model": "ghost/auto",
                "stream": True,
                "messages": [{"role": "user", "content": question.prompt}],
            }
            client.post("/v1/chat/completions", json=body).raise_for_status()

        list(pool.map(ask, questions.sample("test", 7, _COUNT)))


if __name__ == "__main__":
    main(sys.argv[1])
