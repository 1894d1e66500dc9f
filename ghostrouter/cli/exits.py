"""The exit statuses of the commands that make and read calls. Other commands exit with 0 or 1."""

from typing import Any

OK = 0
FAILED = 1
WRONG_INPUT = 2
NOT_FINISHED = 3
NOT_FOUND = 4
NO_SERVICE = 5
PARTIAL = 6
NOT_PERMITTED = 7
INTERRUPTED = 130

TABLE = """\b
Exit status:
  0    complete
  1    it failed: no model could answer, its time was over, it was cancelled or refused
  2    wrong input, told by the command or by the service
  3    not finished yet: `ghostrouter result ID --poll` waits for it
  4    not found
  5    the service cannot be reached, or is not healthy
  6    complete, but the answer is cut short
  7    not permitted: key, limit or budget, or something must be acknowledged
  130  interrupted"""

_BY_STATUS = {401: NOT_PERMITTED, 402: NOT_PERMITTED, 403: NOT_PERMITTED, 404: NOT_FOUND, 429: NOT_PERMITTED}


def of_result(result: dict[str, Any]) -> int:
    """The exit status for the result of a call."""
    if result["status"] == "complete":
        return PARTIAL if result["partial"] else OK
    return FAILED if result["status"] == "failed" else NOT_FINISHED


def of_refusal(http_status: int) -> int:
    """The exit status for an HTTP error."""
    if http_status >= 500 or http_status < 400:
        return NO_SERVICE
    return _BY_STATUS.get(http_status, WRONG_INPUT)
