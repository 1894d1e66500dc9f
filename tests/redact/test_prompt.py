"""Every text of a request is redacted; what is structure stays."""

from dataclasses import replace

from ghostrouter.conversation import Features, Image, Message, Schema, Tool, ToolCall
from ghostrouter.redact.prompt import PromptRedactor
from ghostrouter.redact.vault import Vault
from ghostrouter.types import CloudPrompt

MAIL = "anna@example.com"
SCHEMA = {
    "type": "object",
    "title": f"of {MAIL}",
    "description": f"mail of {MAIL}",
    "required": ["to"],
    "properties": {
        "to": {"type": "string", "enum": [MAIL, "x"], "description": f"such as {MAIL}"},
        "type": {"description": f"not a type: {MAIL}", "anyOf": [{"const": MAIL}, {"title": MAIL, "minimum": 1}]},
        "list": {"items": {"default": {MAIL: [MAIL, 3, None, True]}, "examples": [MAIL]}, "$comment": MAIL},
    },
    "$defs": {"person": {"description": MAIL}},
    "additionalProperties": False,
}
PROMPT = CloudPrompt(
    messages=(
        Message("system", f"You write to {MAIL}."),
        Message("user", f"Hello, {MAIL}", parts=(f"Hello, {MAIL}", Image("https://example.org/x.png")), name=MAIL),
        Message("assistant", "", tool_calls=(ToolCall("call_1", "send", f'{{"to": "{MAIL}"}}'),)),
        Message("tool", f'{{"sent": "{MAIL}"}}', tool_call_id="call_1", name="send"),
        Message("developer", f"never {MAIL}", name=f"dev-{MAIL}"),
    ),
    continuation="prefix",
    kept=f"Dear {MAIL}",
    prompt_tokens=10,
    features=Features(
        tools=(Tool("send", f"writes to {MAIL}", SCHEMA),), tool_choice="send", schema=Schema("answer", SCHEMA)
    ),
)


def test_no_text_of_a_request_leaves_as_it_is() -> None:
    prompt = PromptRedactor(Vault()).prompt(PROMPT)
    assert MAIL not in repr(prompt)
    assert repr(prompt).count("[EMAIL_") == repr(PROMPT).count(MAIL)


def test_what_is_structure_stays() -> None:
    prompt = PromptRedactor(Vault()).prompt(PROMPT)
    assert [m.role for m in prompt.messages] == [m.role for m in PROMPT.messages]
    assert prompt.messages[3].name == "send" and prompt.messages[2].tool_calls[0].name == "send"
    assert prompt.messages[1].parts[1] == Image("https://example.org/x.png")
    tool = prompt.features.tools[0]
    assert (tool.name, prompt.features.tool_choice) == ("send", "send")
    assert tool.parameters["properties"]["to"] == {
        "type": "string", "enum": ["[EMAIL_1]", "x"], "description": "such as [EMAIL_1]",
    }  # fmt: skip
    assert tool.parameters["required"] == ["to"] and tool.parameters["additionalProperties"] is False
    assert tool.parameters["properties"]["list"]["items"]["default"] == {"[EMAIL_1]": ["[EMAIL_1]", 3, None, True]}


def test_a_prompt_without_private_text_stays_as_it_is() -> None:
    plain = replace(PROMPT, messages=(Message("user", "Hello"),), kept="", features=Features())
    assert PromptRedactor(Vault()).prompt(plain) == plain


def test_a_tool_s_name_is_no_text_even_if_it_looks_private() -> None:
    calls = (ToolCall("c", "4111111111111111", "{}"),)
    prompt = replace(PROMPT, messages=(Message("assistant", "", tool_calls=calls),))
    assert PromptRedactor(Vault()).prompt(prompt).messages[0].tool_calls == calls


def test_addresses_are_taken_out_where_they_are_asked_for() -> None:
    prompt = replace(PROMPT, messages=(Message("user", "to Hauptstraße 12a, 10115 Berlin"),))
    contents = [PromptRedactor(Vault(), addresses).prompt(prompt).messages[0].content for addresses in (False, True)]
    assert contents == ["to Hauptstraße 12a, 10115 Berlin", "to [ADDRESS_1]"]


def test_many_short_texts_share_what_may_be_validated() -> None:
    vault = Vault()
    texts = tuple(Message("user", f"{n:08d}A") for n in range(10_000_007, 10_200_000, 389))
    PromptRedactor(vault).prompt(replace(PROMPT, messages=texts))
    assert vault.counts()["NATIONAL_ID"] > len(texts) // 2  # beyond that, their form is enough
