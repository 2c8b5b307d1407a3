"""Calls the service for whoever runs it: a line of JSON on stdin says what to call, one on stdout what came of it.

    rpc_user.py SOCKET
    {"at_once": N, "calls": [{"method": "/p.Service/Method", "requests": [HEX], "deadline": S, "cancel": S, "read": N}]}
    [{"code": "NOT_FOUND", "details": "...", "exit": HEX, "replies": [HEX]}]

A process of its own: a caller is who made the connection, and grpcio's threads and handlers stay out of the tests.
"""

from __future__ import annotations

import functools
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc


def make_call(channel: grpc.Channel, call: dict) -> dict:
    # On the wire every kind of call is a stream in both directions.
    stream = channel.stream_stream(call["method"])(
        iter([bytes.fromhex(request) for request in call["requests"]]), timeout=call.get("deadline")
    )
    timer = None
    if call.get("cancel") is not None:
        timer = threading.Timer(call["cancel"], stream.cancel)
        timer.start()
    replies = []
    try:
        for reply in stream:
            replies.append(reply.hex())
            if call.get("read") is not None and len(replies) >= call["read"]:
                stream.cancel()
    except grpc.RpcError:
        pass  # the same is asked for below
    if timer:
        timer.cancel()
    trailers = {key: value for key, value in stream.trailing_metadata() or ()}
    detail = trailers.get("pycroscope-error-bin", b"")
    return {"code": stream.code().name, "details": stream.details() or "", "exit": detail.hex(), "replies": replies}


def main() -> None:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel("unix:" + sys.argv[1], options) as channel:
        print("ready", flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            with ThreadPoolExecutor(asked["at_once"]) as pool:
                answers = list(pool.map(functools.partial(make_call, channel), asked["calls"]))
            print(json.dumps(answers), flush=True)


main()
