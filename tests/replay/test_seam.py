from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.config import CloudModel, LocalModel
from ghostrouter.conversation import Message
from ghostrouter.errors import ConfigError, SeamRefused
from ghostrouter.replay import tokenizers
from ghostrouter.replay.chat_format import ChatFormat
from ghostrouter.replay.seam import Piece, Seam, SeamRequest, plan_seam, rollback_point
from ghostrouter.signals.decode import PieceDecoder
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
    seam = plan(first, second, target="ghost-cloud", onset=len(second.ids) - 2)
    kept = "".join((*first.texts, *second.texts[:-2]))
    assert seam.continuation == "prefix"
    assert seam.rollback_tokens == 2
    answer = seam.prompt_ids[len(TOKENIZERS["ghost-cloud"].encode_chat(ASKED)) :]
    assert TOKENIZERS["ghost-cloud"].decode(answer) == kept
    assert len(answer) == seam.kept_tokens


def test_text_for_another_tokenizer_does_not_end_in_a_word() -> None:
    written = piece("ghost-small", "Mira lived in Tarvik")
    assert written.texts[-3:] == ("arv", "i", "k")
    for target, kept in (("ghost-large", len(written.ids)), ("ghost-cloud", len(written.ids) - 4)):
        assert plan(written, target=target).keep == kept
    held = SeamRequest("s", ASKED, False, (written,), len(written.ids) - 1, None, "ghost-cloud")
    assert plan_seam(held, TOKENIZERS).keep == len(written.ids) - 1  # the client has a part of it: exactly there


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


def cloud(continues: str) -> dict[str, CloudModel]:
    fields = {"name": "far", "base_url": "http://h/v1", "model": "m", "context_tokens": 999, "continues": continues}
    return {"far": CloudModel.model_validate(fields)}


def to_cloud(continues: str, settled: int, *pieces: Piece) -> Seam:
    return plan_seam(SeamRequest("s", ASKED, False, pieces, settled, None, "far"), TOKENIZERS, cloud(continues))


WRITTEN = piece("ghost-small", "Mira was born. She")


@pytest.mark.parametrize(
    ("continues", "continuation"), [("prefix", "prefix"), ("assistant", "prefix"), ("instruct",) * 2]
)
def test_a_cloud_model_is_given_the_text(continues: str, continuation: str) -> None:
    seam = to_cloud(continues, len(WRITTEN.ids), WRITTEN)
    assert seam.cloud is not None
    assert seam.cloud.messages[: len(ASKED) + 1] == (*ASKED, Message("assistant", "Mira was born. She"))
    assert (seam.continuation, seam.prompt_ids, seam.keep) == (continuation, (), len(WRITTEN.ids))


def test_tokens_of_the_cloud_have_no_ids_here() -> None:
    far = Piece("far", (-1, -1, -1), (" moved", " to", " Orsk."))
    seam = plan_seam(
        SeamRequest("s", ASKED, False, (WRITTEN, far), 2, None, "ghost-small"), TOKENIZERS, cloud("prefix")
    )
    assert seam.continuation == "prefix"
    answer = seam.prompt_ids[-seam.kept_tokens :]
    assert TOKENIZERS["ghost-small"].decode(answer) == "Mira was born. She moved to Orsk."


def test_what_cannot_go_on_starts_over_while_the_client_has_nothing() -> None:
    seam = to_cloud("none", 0, WRITTEN)
    assert (seam.continuation, seam.keep, seam.rollback_tokens) == ("restart", 0, len(WRITTEN.ids))
    for settled, pieces in ((1, (WRITTEN,)), (0, (WRITTEN, WRITTEN))):
        with pytest.raises(SeamRefused, match="far cannot go on"):
            to_cloud("none", settled, *pieces)


written_texts = st.lists(
    st.text(max_size=8).map(lambda t: t.replace("\u2581", ""))  # a ▁ is a space for ghost-cloud's kind of tokenizer
    | st.sampled_from(
        ["👩‍👩‍👧🏽", "🇩🇪", "e\u0301\u0323", "שלום עולם", "مرحبا", "﷽", " 3.14", "<|end|>", "<b>", "日本", "\r\n"]
    ),
    max_size=8,
).map("".join)


def cut_off(model: str, text: str, share: float) -> Piece:
    """What a model had written of a text when it was stopped, perhaps in the middle of a character."""
    ids = TOKENIZERS[model].encode_text(text)
    decoder = PieceDecoder(TOKENIZERS[model].backend)
    ids = ids[: round(share * len(ids))]
    return Piece(model, ids, tuple(decoder.push(i) for i in ids))


shares = st.floats(0, 1)


@given(
    written_texts, written_texts, shares, shares, st.none() | shares, st.permutations(["ghost-large", "ghost-cloud"])
)
def test_what_is_kept_and_what_follows_is_what_is_delivered(
    first: str, then: str, stopped: float, seen: float, trouble: float | None, models: list[str]
) -> None:
    source, target = models
    written = cut_off(source, first, stopped)
    settled = round(seen * len(written.ids))
    onset = None if trouble is None else round(trouble * len(written.ids))
    tokenizer = TOKENIZERS[target]
    seam = plan_seam(SeamRequest("s", ASKED, False, (written,), settled, onset, target), TOKENIZERS)
    kept = "".join(written.texts[: seam.keep])
    assert kept.startswith("".join(written.texts[:settled]))
    assert seam.keep <= len(written.texts if onset is None else written.texts[: max(onset, settled)])
    answer = seam.prompt_ids[len(seam.prompt_ids) - seam.kept_tokens :]
    assert tokenizer.decode(answer) == kept
    more = tokenizer.encode_text(then)
    decoder = PieceDecoder(tokenizer.backend, answer)
    delivered = kept + "".join(decoder.push(i) for i in more)
    assert delivered == tokenizer.decode((*answer, *more)) == kept + then


@given(written_texts, shares, shares)
def test_by_way_of_a_cloud_model_nothing_is_lost(first: str, stopped: float, seen: float) -> None:
    written = cut_off("ghost-cloud", first, stopped)
    settled = round(seen * len(written.ids))
    seam = to_cloud("prefix", settled, written)
    assert seam.cloud is not None
    kept = "".join(written.texts[: seam.keep])
    assert kept.startswith("".join(written.texts[:settled]))
    assert seam.cloud.kept == kept
    assert (seam.cloud.continuation == "restart") == (kept == "")


def test_an_answer_is_handed_back_between_two_tokens_of_who_goes_on() -> None:
    target = {"near": TOKENIZERS["ghost-small"]}
    texts = ("Voss", " was", " born", ".", " Voss", " died")
    request = SeamRequest("s", (Message("user", "Who?"),), False, (Piece("far", (-1,) * 6, texts),), 4, 4, "near")
    assert plan_seam(request, target).keep == 4
    calm = plan_seam(replace(request, calm=True), target)
    assert calm.keep > 4
    assert target["near"].decode(calm.prompt_ids[-calm.kept_tokens :]) == "".join(texts[: calm.keep])


CALL = '<tool_call> {"name": "f", "arguments": {"a": 1'


def parsed(model: str, text: str, call: str) -> Piece:
    """A segment with a tool call that has begun: its texts have nothing of the call."""
    said, called = (TOKENIZERS[model].encode(t) for t in (text, call))
    return Piece(model, (*said, *called), (*TOKENIZERS[model].pieces(said), *[""] * len(called)), parsed=True)


@pytest.mark.parametrize("target", ["ghost-large", "ghost-cloud"])
def test_a_call_goes_on_where_it_is_if_the_target_writes_calls_alike(target: str) -> None:
    begun = parsed("ghost-small", "Well. ", CALL)
    request = SeamRequest("s", ASKED, False, (begun,), len(begun.ids), None, target, called=True)
    seam = plan_seam(request, TOKENIZERS)
    assert (seam.keep, seam.rollback_tokens) == (len(begun.ids), 0)
    kept = seam.prompt_ids[len(seam.prompt_ids) - seam.kept_tokens :]
    assert "".join(TOKENIZERS[target].pieces(kept)) == "".join(TOKENIZERS["ghost-small"].pieces(begun.ids))


def test_to_another_format_the_answer_goes_back_to_where_the_call_began() -> None:
    other = ChatFormat("llama3_json", "", tells_tools=True)
    target = tokenizers.ChatTokenizer(str(MODELS / "ghost-large"), None, other.tool_parser)
    known = {**TOKENIZERS, "ghost-large": target}
    begun = parsed("ghost-small", "Well. ", CALL)
    request = SeamRequest("s", ASKED, False, (begun,), 0, None, "ghost-large")
    said = len(TOKENIZERS["ghost-small"].encode("Well. "))
    assert plan_seam(request, known).keep == said
    with pytest.raises(SeamRefused, match=r"^tools: a tool call that has begun stays"):
        plan_seam(replace(request, settled=len(begun.ids), called=True), known)
