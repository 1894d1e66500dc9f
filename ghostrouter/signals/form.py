"""Which tokens of an answer are form, and which are content.

JSON's braces, commas, quotes, keys and white space follow from the form that was asked for. So do the name of a tool
and the marks around a call. What a model's signals say there is nothing about its answer, so they are not judged.
Content is free text, reasoning, and what a value says.
"""

from ghostrouter.conversation import Features


class JsonForm:
    """Follows a JSON text, piece by piece. It does not check it."""

    def __init__(self) -> None:
        self._is_object: list[bool] = []
        self._key_next = False
        self._in_key = self._in_string = self._escaped = False

    def push(self, text: str) -> bool:
        """Whether a piece holds content. An empty one does inside a value's string: it begins a character."""
        if not text:
            return self._in_string and not self._in_key
        found = False
        for character in text:  # not `any`: each character has to be read
            found |= self._read(character)
        return found

    def _read(self, character: str) -> bool:
        if self._in_string:
            return self._read_string(character)
        if character == '"':
            self._in_string, self._in_key = True, self._key_next
        elif character in "{[":
            self._is_object.append(character == "{")
            self._key_next = character == "{"
        elif character in "}]":
            if self._is_object:
                self._is_object.pop()
            self._key_next = False
        elif character == ",":
            self._key_next = bool(self._is_object) and self._is_object[-1]
        elif character == ":":
            self._key_next = False
        else:
            return not character.isspace()
        return False

    def _read_string(self, character: str) -> bool:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
            return False
        return not self._in_key


class AnswerForm:
    """Tells form from content in the parts of one answer. If it `is_json`, not all of its text is content."""

    def __init__(self, features: Features) -> None:
        calls = bool(features.tools) and features.tool_choice != "none"
        self.is_json = not calls and (features.schema is not None or features.json_object)
        self._text = JsonForm()
        self._calls: dict[int, JsonForm] = {}

    def text(self, piece: str) -> bool:
        """Whether a piece of the answer's text is content."""
        return self._text.push(piece) if self.is_json else True

    def arguments(self, number: int, piece: str) -> bool:
        """Whether a piece of a call's arguments is content."""
        return self._calls.setdefault(number, JsonForm()).push(piece)
