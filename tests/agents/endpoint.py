"""A made-up endpoint of four agents' services, on loopback, that answers as it is told.

    python endpoint.py PORT MODE

MODE: hang (never answers), stream (text for ever), stall (a little text, then nothing), tool (wants
to run a command once, then text), background (the same, in the background), done (a short answer),
401, 429, 500, 529 (that error always).
Standard library only.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMAND = "sleep 300; touch made-up"
WAIT = 3600
ERRORS = {"401": "Incorrect API key provided", "429": "Rate limit reached",
          "500": "Internal server error", "529": "Overloaded"}  # fmt: skip


def words() -> Iterator[str]:
    for i in range(1_000_000):
        yield f"word{i} "


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    mode = "hang"
    asked = 0

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.plain(200, {"data": [], "models": []})

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        text = self.rfile.read(size).decode("utf-8", "replace")
        body: dict[str, Any] = json.loads(text) if text.startswith("{") else {}
        if self.mode == "hang":
            time.sleep(WAIT)
        if self.mode in ERRORS:
            self.failed()
        elif "/messages" in self.path and "count_tokens" not in self.path:
            self.anthropic(body)
        elif self.path.endswith("/responses"):
            self.openai(body)
        elif "/chat/completions" in self.path:
            self.completions(body)
        elif "streamGenerateContent" in self.path:
            self.gemini(body)
        elif "enerateContent" in self.path:
            self.plain(200, {"candidates": [gemini_part({"text": "{}"}, stop=True)]})
        else:
            self.plain(200, {"input_tokens": 1, "totalTokens": 1})

    # -- parts that all have in common

    def plain(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def failed(self) -> None:
        kind = {"401": "authentication_error", "429": "rate_limit_error", "529": "overloaded_error"}
        error = {"type": kind.get(self.mode, "api_error"), "message": ERRORS[self.mode],
                 "code": int(self.mode), "status": "UNAVAILABLE"}  # fmt: skip
        self.plain(int(self.mode), {"type": "error", "error": error})

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

    def event(self, data: dict[str, Any] | str, name: str = "") -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        head = f"event: {name}\n" if name else ""
        self.wfile.write(f"{head}data: {text}\n\n".encode())
        self.wfile.flush()

    def pieces(self) -> Iterator[str]:
        """The text, at the speed of the mode."""
        for i, word in enumerate(words()):
            yield word
            if self.mode in {"done", "tool", "background"} and i == 3:
                return
            if self.mode == "stall" and i == 3:
                time.sleep(WAIT)
            time.sleep(0.1)

    def wants_tool(self, body: dict[str, Any]) -> bool:
        """Whether this is the turn in which the command is wanted: a real one, and the first."""
        able = body.get("tools") or body.get("toolConfig")
        if self.mode not in {"tool", "background"} or not able:
            return False
        return not any(
            mark in json.dumps(body)
            for mark in (
                "tool_result",
                "function_call_output",
                "functionResponse",
                '"role": "tool"',
            )
        )

    # -- the four protocols

    def anthropic(self, body: dict[str, Any]) -> None:
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "made-up",
                   "content": [], "stop_reason": None, "stop_sequence": None,
                   "usage": {"input_tokens": 9, "output_tokens": 1}}  # fmt: skip
        if not body.get("stream"):
            self.plain(200, {**message, "content": [{"type": "text", "text": "list"}],
                             "stop_reason": "end_turn"})  # fmt: skip
            return
        self.begin()
        self.event({"type": "message_start", "message": message}, "message_start")
        tool = self.wants_tool(body)
        block: dict[str, Any] = {"type": "text", "text": ""}
        if tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}
        start = {"type": "content_block_start", "index": 0, "content_block": block}
        self.event(start, "content_block_start")
        wanted = {"command": COMMAND, "description": "sleeps", "timeout": 600000}
        if self.mode == "background":
            wanted |= {"run_in_background": True}
        asked = json.dumps(wanted)
        for piece in [asked] if tool else self.pieces():
            delta = ({"type": "input_json_delta", "partial_json": piece} if tool
                     else {"type": "text_delta", "text": piece})  # fmt: skip
            self.event({"type": "content_block_delta", "index": 0, "delta": delta},
                       "content_block_delta")  # fmt: skip
        self.event({"type": "content_block_stop", "index": 0}, "content_block_stop")
        reason = "tool_use" if tool else "end_turn"
        delta = {"stop_reason": reason, "stop_sequence": None}
        end = {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9}}
        self.event(end, "message_delta")
        self.event({"type": "message_stop"}, "message_stop")

    def openai(self, body: dict[str, Any]) -> None:
        self.begin()
        answer = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
        self.event({"type": "response.created", "response": answer})
        if self.wants_tool(body):
            names = [tool.get("name", "") for tool in body.get("tools", [])]
            name = next(
                (n for n in ("exec_command", "shell_command", "shell") if n in names), "shell"
            )
            escalate = {"sandbox_permissions": "require_escalated", "justification": "need it"}
            asked: dict[str, Any] = {"cmd": COMMAND, **escalate}
            if name != "exec_command":
                command = COMMAND if name == "shell_command" else ["bash", "-c", COMMAND]
                asked = {"command": command, **escalate}
            item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name,
                    "arguments": json.dumps(asked), "status": "completed"}  # fmt: skip
        else:
            item = {"type": "message", "id": "item_1", "role": "assistant", "status": "completed",
                    "content": []}  # fmt: skip
            self.event({"type": "response.output_item.added", "output_index": 0, "item": item})
            text = ""
            for piece in self.pieces():
                text += piece
                self.event({"type": "response.output_text.delta", "item_id": "item_1",
                            "output_index": 0, "content_index": 0, "delta": piece})  # fmt: skip
            item = {**item, "content": [{"type": "output_text", "text": text, "annotations": []}]}
        self.event({"type": "response.output_item.done", "output_index": 0, "item": item})
        usage = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
        done = {**answer, "status": "completed", "output": [item], "usage": usage}
        self.event({"type": "response.completed", "response": done})

    def completions(self, body: dict[str, Any]) -> None:
        def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            return {"id": "c_1", "object": "chat.completion.chunk", "created": 1, "model": "m",
                    "choices": [choice]}  # fmt: skip

        self.begin()
        if self.wants_tool(body):
            asked = json.dumps({"command": COMMAND, "description": "sleeps"})
            call = {"index": 0, "id": "call_1", "type": "function",
                    "function": {"name": "bash", "arguments": asked}}  # fmt: skip
            self.event(chunk({"role": "assistant", "tool_calls": [call]}))
            self.event(chunk({}, "tool_calls"))
        else:
            for piece in self.pieces():
                self.event(chunk({"role": "assistant", "content": piece}))
            self.event(chunk({}, "stop"))
        self.event("[DONE]")

    def gemini(self, body: dict[str, Any]) -> None:
        self.begin()
        if self.wants_tool(body):
            call = {"functionCall": {"name": "run_shell_command", "args": {"command": COMMAND}}}
            self.event({"candidates": [gemini_part(call, stop=True)]})
            return
        for piece in self.pieces():
            self.event({"candidates": [gemini_part({"text": piece})]})
        self.event({"candidates": [gemini_part({"text": "."}, stop=True)]})


def gemini_part(part: dict[str, Any], *, stop: bool = False) -> dict[str, Any]:
    found: dict[str, Any] = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return found | ({"finishReason": "STOP"} if stop else {})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away


if __name__ == "__main__":
    Answer.mode = sys.argv[2]
    Server(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
