import pytest

from ghostrouter.config import LocalModel
from ghostrouter.errors import ConfigError
from ghostrouter.replay import tokenizers
from ghostrouter.replay.seam import Piece, Seam, SeamRequest, plan_seam, rollback_point
from ghostrouter.types import Message
from tests.shipped import MODELS

NAMES = ("ghost-small", "ghost-large", "ghost-cloud")
TOKENIZERS = tokenizers.load([LocalModel(name=name, source=str(MODELS / name)) for name in NAMES])
ASKED = (Message("user", "Who was Mira Voss?"),)


@pytest.mark.parametrize(
    ("texts", "settled", "onset", "keep"),
    [
        (["a", "b", "c"], 0, None, 3),
        (["a", "b", "c"], 0, 1, 1),
        (["a", "b", "c"], 2, 1, 2),  # the client has two already
        (["a", "b", "c"], 0, 9, 3),
        (["a", "", "😀"], 0, 2, 1),  # not into the middle of a character
        (["a", "", ""], 3, None, 1),  # the client has seen nothing of an unfinished one
        ([], 0, None, 0),
    ],
)
def test_rollback_point(texts: list[str], settled: int, onset: int | None, keep: int) -> None:
    assert rollback_point(texts, settled, onset) == keep


def piece(model: str, text: str) -> Piece:
    ids = TOKENIZERS[model].encode(text)
    return Piece(model, ids, tuple(TOKENIZERS[model].decode([i]) for i in ids))


def plan(*pieces: Piece, target: str, onset: int | None = None) -> Seam:
    return plan_seam(SeamRequest("s", ASKED, False, pieces, 0, onset, target), TOKENIZERS)


def test_the_same_tokenizer_takes_the_very_ids() -> None:
    # These ids are not how the text would be encoded: they must not be encoded anew.
    odd = Piece(
        "ghost-small", (*TOKENIZERS["ghost-small"].encode("M"), *TOKENIZERS["ghost-small"].encode("ira")), ("M", "ira")
    )
    seam = plan(odd, target="ghost-large")
    prompt = TOKENIZERS["ghost-large"].encode_chat(ASKED)
    assert seam.continuation == "token_ids"
    assert seam.prompt_ids == (*prompt, *odd.ids)
    assert (seam.keep, seam.rollback_tokens, seam.kept_tokens) == (len(odd.ids), 0, len(odd.ids))


def test_another_tokenizer_takes_the_text() -> None:
    first, second = piece("ghost-small", "Mira was born in"), piece("ghost-large", " Tarvik. She")
    seam = plan(first, second, target="ghost-cloud", onset=len(second.ids) - 1)
    kept = "".join((*first.texts, *second.texts[:-1]))
    assert seam.continuation == "prefix"
    assert seam.rollback_tokens == 1
    answer = seam.prompt_ids[len(TOKENIZERS["ghost-cloud"].encode_chat(ASKED)) :]
    assert TOKENIZERS["ghost-cloud"].decode(answer) == kept
    assert len(answer) == seam.kept_tokens


def test_the_way_back_from_another_tokenizer_is_text_too() -> None:
    seam = plan(piece("ghost-small", "One"), piece("ghost-cloud", " two"), target="ghost-small")
    assert seam.continuation == "prefix"


def test_a_message_to_continue_comes_before_the_answer() -> None:
    asked = (*ASKED, Message("assistant", "Mira "))
    request = SeamRequest("s", asked, True, (piece("ghost-small", "Voss"),), 0, None, "ghost-large")
    seam = plan_seam(request, TOKENIZERS)
    assert TOKENIZERS["ghost-large"].decode(seam.prompt_ids).endswith("Mira Voss")


def test_models_of_one_tokenizer_have_one_fingerprint() -> None:
    prints = [TOKENIZERS[n].fingerprint for n in NAMES]
    assert prints[0] == prints[1] != prints[2]


def test_a_missing_tokenizer_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"no/such/model"):
        tokenizers.load([LocalModel(name="m", source="./no/such/model")])


def test_context_length_is_the_engine_s_or_the_model_s() -> None:
    model = LocalModel(name="m", source=str(MODELS / "ghost-small"))
    assert tokenizers.context_tokens(model) == 8192
    assert tokenizers.context_tokens(model.model_copy(update={"engine_kwargs": {"max_model_len": 64}})) == 64
