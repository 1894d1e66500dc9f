from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Message
from ghostrouter.replay import tokenizers
from ghostrouter.replay.prompts import first_prompts
from ghostrouter.types import CloudPrompt
from tests.shipped import MODELS

LOCAL = tokenizers.load([LocalModel(name=n, source=str(MODELS / n)) for n in ("ghost-small", "ghost-large")])
CLOUD = {
    c: CloudModel.model_validate(
        {"name": c, "base_url": "http://h", "model": "m", "context_tokens": 100, "continues": c}
    )
    for c in ("prefix", "instruct", "none")
}
ASKED = (Message("user", "Who was Mira Voss?"),)


def test_every_model_is_asked_in_its_own_way() -> None:
    firsts = first_prompts(ASKED, False, LOCAL, CLOUD)
    assert list(firsts) == [*LOCAL, *CLOUD]
    assert firsts["ghost-small"].prompt is firsts["ghost-large"].prompt
    assert firsts["ghost-small"].tokens == len(LOCAL["ghost-small"].encode_chat(ASKED))
    far = firsts["prefix"]
    assert isinstance(far.prompt, CloudPrompt)
    assert far.prompt.messages == ASKED
    assert far.tokens >= len(ASKED[0].content) // 4


def test_room_is_left_for_the_instruction_of_a_seam() -> None:
    firsts = first_prompts(ASKED, False, LOCAL, CLOUD)
    assert firsts["instruct"].reserved_tokens > 0
    assert firsts["prefix"].reserved_tokens == 0
    begun = first_prompts((*ASKED, Message("assistant", "Mira")), True, LOCAL, CLOUD)["instruct"]
    assert begun.reserved_tokens == 0  # it is in the prompt already
    assert begun.tokens > firsts["instruct"].tokens + firsts["instruct"].reserved_tokens


def test_what_cannot_go_on_is_not_asked_to() -> None:
    assert "none" not in first_prompts((*ASKED, Message("assistant", "Mira")), True, LOCAL, CLOUD)
