"""Tracebacks for the log. They have no messages of errors, because a message may hold a prompt, an answer or a key."""

import traceback


def without_message(error: BaseException) -> str:
    """Where an error was raised, and the types of the errors that led to it."""
    chain, causes = error, list[str]()
    while True:
        frames = traceback.extract_tb(chain.__traceback__)
        places = (f"  {f.filename}:{f.lineno} in {f.name}" for f in frames)
        causes.append("\n".join([f"{type(chain).__module__}.{type(chain).__qualname__}", *places]))
        earlier = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        if earlier is None:
            return "\nafter ".join(causes)
        chain = earlier
