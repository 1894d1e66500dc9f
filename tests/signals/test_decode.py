import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghostrouter.replay.tokenizers import ChatTokenizer
from ghostrouter.signals.decode import PieceDecoder
from tests.shipped import MODELS

# The byte-fallback tokenizer writes a space as U+2581 and so cannot tell the two apart.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581\ufffd"), max_size=40)
TOKENIZERS = {name: ChatTokenizer(str(MODELS / name)) for name in ("ghost-small", "ghost-cloud")}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=texts)
def test_pieces_make_up_the_text_and_split_no_character(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    decoder = PieceDecoder(tokenizer.backend)
    pieces = [decoder.push(i) for i in tokenizer.encode(text)]
    assert "".join(pieces) + decoder.flush() == text
    assert not any("\ufffd" in piece for piece in pieces)


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=texts, data=st.data())
def test_decoding_can_go_on_anywhere_between_characters(name: str, text: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer.encode(text)
    decoder = PieceDecoder(tokenizer.backend)
    pieces = [decoder.push(i) for i in ids]
    cut = data.draw(st.sampled_from([0, *(i + 1 for i, piece in enumerate(pieces) if piece)]))
    rest = PieceDecoder(tokenizer.backend, ids[:cut])
    assert "".join(pieces[:cut]) + "".join(rest.push(i) for i in ids[cut:]) + rest.flush() == text


def test_a_character_of_several_tokens_comes_with_the_last_one() -> None:
    tokenizer = TOKENIZERS["ghost-small"]
    ids = tokenizer.encode("a😀")
    decoder = PieceDecoder(tokenizer.backend)
    assert [decoder.push(i) for i in ids] == ["a", "", "", "", "😀"]


def test_an_unfinished_character_is_flushed_as_a_replacement() -> None:
    tokenizer = TOKENIZERS["ghost-small"]
    decoder = PieceDecoder(tokenizer.backend)
    assert [decoder.push(i) for i in tokenizer.encode("😀")[:2]] == ["", ""]
    assert decoder.flush() == "\ufffd"
    assert decoder.flush() == ""
