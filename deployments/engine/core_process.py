"""The beginning of the process of vLLM's engine core."""

from collections.abc import Callable
from typing import Any

from deployments.garbage_collector import collect_rarely


class CoreMain:
    """Stands for the main function of vLLM's engine process.

    That process is spawned, and imports vLLM as soon as it unpickles what it is given. This is unpickled first. vLLM
    itself spares what is loaded (`gc.freeze`) once its engine has started.
    """

    def __reduce__(self) -> tuple[Callable[[], Callable[..., None]], tuple[()]]:
        return _main, ()

    def __call__(self, *arguments: Any, **options: Any) -> None:
        """Run the engine, if the process is a fork and has unpickled nothing."""
        _main()(*arguments, **options)


def _main() -> Callable[..., None]:
    collect_rarely()
    from vllm.v1.engine.core import EngineCoreProc

    main: Callable[..., None] = EngineCoreProc.run_engine_core
    return main
