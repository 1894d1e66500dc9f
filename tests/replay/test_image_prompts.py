"""Prompts that show images, by the chat templates of vision models."""

import shutil
from pathlib import Path

import pytest

from ghostrouter.conversation import Features, Image, Message, Tool
from ghostrouter.errors import ConfigError
from ghostrouter.replay.tokenizers import ChatTokenizer
from tests.shipped import MODELS

PARTS = "{% for p in m.content %}{{ '[image]' if p.type == 'image' else p.text }}{% endfor %}"
BOTH = (
    f"{{% for m in messages %}}{{{{ m.role }}}}: {{% if m.content is string %}}{{{{ m.content }}}}{{% else %}}{PARTS}"
)
BOTH += "{% endif %};{% endfor %}"
LISTS = f"{{% for m in messages %}}{{{{ m.role }}}}: {PARTS};{{% endfor %}}"
TEXTS = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}"
SHOWN = Message("user", "What is this?", (Image("data:image/png;base64,aa"), "What is this?"))


def tokenizer(folder: Path, template: str, vision: bool = True) -> ChatTokenizer:
    shutil.copytree(MODELS / "ghost-small", folder, dirs_exist_ok=True)
    (folder / "chat_template.jinja").write_text(template)
    return ChatTokenizer(str(folder), vision=vision)


@pytest.mark.parametrize("template", [BOTH, LISTS])
def test_images_are_told_in_their_places_and_texts_as_the_template_reads_them(tmp_path: Path, template: str) -> None:
    reader = tokenizer(tmp_path, template)
    asked = [Message("system", "Be brief."), SHOWN, Message("assistant", "A cat."), Message("user", "Sure?")]
    text = "system: Be brief.;user: [image]What is this?;assistant: A cat.;user: Sure?;"
    assert reader.encode_chat(asked) == reader.encode(text)
    assert (
        reader.encode_chat([*asked, Message("assistant", "Qu")], continue_final=True)[-2:]
        == reader.encode(text + "Qu")[-2:]
    )


def test_tools_are_told_beside_images_by_a_template_that_knows_none(tmp_path: Path) -> None:
    reader = tokenizer(tmp_path, LISTS)
    ids = reader.encode_chat([SHOWN], features=Features((Tool("look", "", {"type": "object"}),)))
    text = "".join(reader.pieces(ids))
    assert text.startswith("system: You can call functions.") and '"look"' in text
    assert text.endswith("user: [image]What is this?;")


def test_a_template_that_shows_no_images_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    assert tokenizer(tmp_path, TEXTS, vision=False).encode_chat([Message("user", "Go")])
    with pytest.raises(ConfigError, match="shows no images"):
        tokenizer(tmp_path, TEXTS)
