"""Tool calls and reasoning in what a local model writes: vLLM's parsers turn its text into their parts.

Each token keeps its id and its signals. Its text becomes a piece of the answer, of a tool call or of the reasoning. If
one token completes several pieces, the others wait for the next tokens. After a seam the kept tokens are read again,
and what the client has of them is not told twice.

Where calls are forced, a weak model may write the same call again and again, because the grammar asks it only to write
calls. So a call that is the same as an earlier one ends the answer, and the client gets nothing of it.
"""

import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tokenizers import Tokenizer
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.parser.parser_manager import ParserManager

from ghostrouter.conversation import Features, Tool
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.decode import PieceDecoder
from ghostrouter.signals.form import AnswerForm
from ghostrouter.types import Aside, FinishReason, ReasoningPart, SegmentRequest, Token, ToolCallPart, Written

_Part = str | Aside


@dataclass(slots=True)
class _Call:
    """A tool call as far as it is written. `is_told`: the client may have something of it."""

    name: str = ""
    arguments: str = ""
    is_told: bool = field(default=False, compare=False)

    def begins_like(self, other: "_Call") -> bool:
        """Whether `other`, which goes on, may become the same call."""
        return self.name.startswith(other.name) and self.arguments.startswith(other.arguments)


class AnswerParser:
    """Parses one segment, token by token."""

    def __init__(
        self, parser: Any, asked: Any, tokenizer: Tokenizer, request: SegmentRequest, ends: frozenset[int]
    ) -> None:
        self._parser = parser
        self._asked = asked
        self._session = request.key.session.partition("/")[0]
        self._parallel = request.features.parallel_tool_calls is not False
        self._is_forced = request.features.tool_choice == "required"
        begin = len(request.prompt_ids) - request.kept_tokens
        self._prompt = list(request.prompt_ids[:begin])
        self._ends = ends
        self._decoder = PieceDecoder(tokenizer, skip_special_tokens=False)
        self._form = AnswerForm(request.features)
        self._waiting: deque[_Part] = deque()
        self._seen = Written()
        self._told = request.written
        self._named: set[int] = set(range(len(request.written.arguments)))
        self._calls: dict[int, _Call] = {}
        self.has_called = bool(self._named)
        self.is_over = False
        for token_id in request.prompt_ids[begin:]:
            self._parse(token_id, finished=False)

    def read(self, tokens: Sequence[Token], finished: bool) -> list[Token]:
        """The tokens as parts of the answer. At the end there may be more tokens than before, which have no id.

        There may be fewer, too: once the answer `is_over`, whatever the model goes on to write.
        """
        read = []
        for i, token in enumerate(tokens):
            if self.is_over:
                break
            is_content = self._parse(token.id, finished and i == len(tokens) - 1)
            read.append(_carrying(token._replace(is_form=token.is_form or not is_content), self._next()))
        while (finished or self.is_over) and tokens and self._waiting:
            read.append(_carrying(tokens[-1]._replace(id=-1, rank=0, is_form=True), self._next()))
        return read

    def finish(self, reason: FinishReason | None) -> FinishReason | None:
        """The finish reason of the answer. One that calls tools has its own."""
        return "tool_calls" if reason == "stop" and self.has_called else reason

    def _next(self) -> _Part:
        return self._waiting.popleft() if self._waiting else ""

    def _parse(self, token_id: int, finished: bool) -> bool:
        """Read a token; whether it holds content, not only marks, keys and names that the form asks for."""
        if self.is_over:
            return False
        text = "" if token_id in self._ends else self._decoder.push(token_id)
        delta = self._parser.parse_delta(text, [token_id], self._asked, self._prompt, finished=finished)
        if delta is None:
            return not text  # the beginning of a character, or the end of the text
        found = False
        if delta.reasoning:
            self._reason(delta.reasoning)
            found = True
        if delta.content:
            self._say(delta.content)
            found |= self._form.text(delta.content)
        for call in delta.tool_calls or ():
            self._call(call.index, call.function)
            if call.function and call.function.arguments:
                found |= self._form.arguments(call.index, call.function.arguments)
        return found

    def _reason(self, text: str) -> None:
        seen = self._seen
        self._seen = replace(seen, reasoning=seen.reasoning + len(text))
        if fresh := text[max(0, self._told.reasoning - seen.reasoning) :]:
            self._waiting.append(ReasoningPart(fresh))

    def _say(self, text: str) -> None:
        seen = self._seen
        self._seen = replace(seen, text=seen.text + len(text))
        if fresh := text[max(0, self._told.text - seen.text) :]:
            self._waiting.append(fresh)

    def _call(self, number: int, function: Any) -> None:
        if number and not self._parallel:
            self.is_over = True
            return
        name, arguments = (function.name or "", function.arguments or "") if function else ("", "")
        call = self._calls.setdefault(number, _Call())
        call.name, call.arguments = call.name or name, call.arguments + arguments
        if not call.is_told:
            earlier = [c for n, c in self._calls.items() if n < number] if self._is_forced else []
            if any(call == c for c in earlier):
                self.is_over = True
            if any(c.begins_like(call) for c in earlier):
                return
            call.is_told, name, arguments = True, call.name, call.arguments
        counts = [*self._seen.arguments, *[0] * (number + 1 - len(self._seen.arguments))]
        told = self._told.arguments[number] if number < len(self._told.arguments) else 0
        fresh = arguments[max(0, told - counts[number]) :]
        counts[number] += len(arguments)
        self._seen = replace(self._seen, arguments=tuple(counts))
        if name and number not in self._named:
            self._named.add(number)
            self.has_called = True
            self._waiting.append(ToolCallPart(number, _call_id(self._session, number), name, fresh))
        elif fresh:
            self._waiting.append(ToolCallPart(number, arguments=fresh))


class AnswerParsers:
    """Opens the parser of an answer that may have tool calls or reasoning.

    `tokenizer` is vLLM's, `backend` the one below it. `ends` are the ids that end a text.
    """

    def __init__(self, tokenizer: Any, backend: Tokenizer, chat_format: ChatFormat, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._backend = backend
        self._ends = ends
        self._reasons = bool(chat_format.reasoning_parser)
        self._with_tools = ParserManager.get_parser(
            chat_format.tool_parser or None, chat_format.reasoning_parser or None, enable_auto_tools=True
        )
        self._without = ParserManager.get_parser(None, chat_format.reasoning_parser or None)

    def open(self, request: SegmentRequest) -> AnswerParser | None:
        """The parser of a segment; None if its text is the answer."""
        calls = bool(request.features.tools) and request.features.tool_choice != "none"
        kind = self._with_tools if calls else self._without
        if kind is None or not (calls or self._reasons):
            return None
        asked = chat_request(request.features)
        parser = kind(self._tokenizer, asked.tools)
        if parser.tool_parser:  # a forced call is plain JSON, whatever the model writes otherwise: any model can go on
            parser.tool_parser.supports_required_and_named = True
        return AnswerParser(
            parser, asked, self._backend, request, self._ends | set(request.sampling.engine.stop_token_ids)
        )


def answer_parsers(client: Any, tokenizer: ChatTokenizer) -> AnswerParsers:
    """The parsers of a model's answers, for vLLM's engine client."""
    config = client.model_config.try_get_generation_config()
    told = config.get("eos_token_id")
    ends = {client.renderer.tokenizer.eos_token_id, *(told if isinstance(told, list) else [told])}
    return AnswerParsers(client.renderer.tokenizer, tokenizer.backend, tokenizer.format, frozenset(ends - {None}))


def arguments_schema(tool: Tool) -> dict[str, Any]:
    """The schema of a tool's arguments. Arguments that the tool does not name are left out, unless it allows them."""
    if tool.strict is False or not tool.parameters:
        return {"type": "object"}
    return {"additionalProperties": False, **tool.parameters} if "properties" in tool.parameters else tool.parameters


def chat_request(features: Features) -> Any:
    """The request that vLLM's parsers read: its tools and its tool choice."""
    choice: Any = features.tool_choice
    if choice not in ("auto", "none", "required"):
        choice = {"type": "function", "function": {"name": choice}}
    tools = [
        {
            "type": "function",
            "function": {"name": t.name, "description": t.description, "parameters": arguments_schema(t)},
        }
        for t in features.tools
    ]
    told = {"tools": tools, "tool_choice": choice} if tools else {}
    return ChatCompletionRequest.model_validate({"model": "", "messages": [], **told})


def _carrying(token: Token, part: _Part) -> Token:
    if isinstance(part, str):
        return token._replace(text=part)
    return token._replace(text="", alternatives=(), aside=part)


def _call_id(session: str, number: int) -> str:
    """The id of a call: the same on every replica."""
    return f"call_{hashlib.sha256(f'{session}/{number}'.encode()).hexdigest()[:24]}"
