"""What is said of an error: type and place, never what a library quoted; and what reaches the log of a process."""

import json
import subprocess
import sys

import pytest

from agents.failure import chain, told
from agents.intercom.failures import Unauthorized
from contracts.decisions import decode

SECRET = "ada@example.com"
PROGRAM = f"""
import asyncio, logging, sys, threading, warnings
import structlog
from agents import logs
logs.configure()
secret = "{SECRET}"
def fail(): raise KeyError(secret)
structlog.get_logger().warning("ours", door="customerio")
logging.getLogger("aiokafka").warning("Topic %s: %r", "signals", KeyError(secret))
logging.getLogger("faust").info("below the level " + secret)
logging.getLogger("faust").error("first line\\n" + secret)
logging.getLogger("faust").error("a body %s", secret.encode())
logging.getLogger("faust").error("a mapping %(call)s", {{"call": {{"email": secret}}}})
try:
    fail()
except KeyError:
    logging.getLogger("mode").exception("caught")
    structlog.get_logger().error("caught", exc_info=True)
thread = threading.Thread(target=fail)
thread.start()
thread.join()
async def lost():
    asyncio.get_running_loop().call_soon(lambda told: 1 / 0, secret)
    await asyncio.sleep(0)
    task = asyncio.create_task(asyncio.to_thread(fail))
    await asyncio.wait([task])
asyncio.run(lost())
import gc; gc.collect()
raise ValueError("the value was " + secret)
"""


def failing() -> None:
    try:
        raise KeyError(SECRET)
    except KeyError as cause:
        raise ValueError(SECRET) from cause


def test_an_error_is_told_by_type_and_place() -> None:
    with pytest.raises(ValueError, match=SECRET) as caught:
        failing()
    error = caught.value
    assert told(error).startswith("ValueError at tests/operations/test_failure.py:") and "in failing" in told(error)
    assert [one["error"] for one in chain(error)] == ["ValueError", "KeyError"]
    assert SECRET not in told(error) + json.dumps(chain(error))


def test_a_sentence_of_ours_is_told_too_and_a_library_is_not_believed() -> None:
    assert told(Unauthorized(401)).startswith("Unauthorized: Intercom answered 401: check the access token")
    with pytest.raises(Exception, match="Expected") as caught:
        decode(json.dumps({"person": 5, "email": SECRET}).encode())
    assert told(caught.value).startswith("ValidationError at ")


def test_logs_of_a_process_are_json_and_quote_nobody() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
    events = [line["event"] for line in lines]
    assert SECRET not in done.stdout
    assert events[:5] == ["ours", "aiokafka: Topic signals: 'KeyError'", "faust: first line", "faust: a body bytes",
                          "faust: a mapping dict"]  # fmt: skip
    assert events[5:7] == ["mode: caught", "caught"]
    assert [line["failure"][0]["error"] for line in lines[5:8]] == ["KeyError"] * 3
    assert events[8].startswith("asyncio: Exception in callback ") and "(...)" in events[8]
    assert events[-2:] == ["asyncio: Task exception was never retrieved", "crashed"]
    assert lines[-1]["failure"][0]["error"] == "ValueError"
