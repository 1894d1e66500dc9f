"""Detect the language of a text, to tell a model in that language to continue."""

from collections import Counter
from typing import Literal

import regex

Language = Literal["en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja", "ko", "ru", "ar"]

_SCRIPTS: tuple[tuple[Language, str], ...] = (
    ("ja", r"[\p{Script=Hiragana}\p{Script=Katakana}]"),
    ("ko", r"\p{Script=Hangul}"),
    ("zh", r"\p{Script=Han}"),
    ("ru", r"\p{Script=Cyrillic}"),
    ("ar", r"\p{Script=Arabic}"),
)
_LETTER = regex.compile(r"\p{L}")
_WORD = regex.compile(r"\p{L}+")
# A fifth of the letters is enough: names and code are often in Latin letters, and Japanese is mostly Chinese
# characters.
_SHARE = 0.2
_ENOUGH_CHARACTERS = 2000
_STOP_WORDS: dict[Language, frozenset[str]] = {
    "en": frozenset("the of and to is in that it was for with what who how why this are you not have from".split()),
    "de": frozenset("der die das und ist nicht ein eine wie was wer warum zu mit für auf ich den von es sind".split()),
    "fr": frozenset("le la les et est un une des du que qui pourquoi dans pour pas avec je vous ce sont au".split()),
    "es": frozenset("el la los las y es un una que qué quién cómo por para con no en del se cuál está".split()),
    "it": frozenset("il lo gli e è un una che chi come perché per con non di del della sono nel qual si".split()),
    "pt": frozenset("o os as e é um uma que quem como por para com não em do da são no na qual você".split()),
    "nl": frozenset("de het een en is niet wat wie hoe waarom van voor met op ik dat zijn er aan te".split()),
}
_INSTRUCTIONS: dict[Language, str] = {
    "en": "Your last message was cut off. Continue it from the very next character: no repetition, no comment.",
    "de": "Deine letzte Nachricht brach ab. Setze sie genau ab dem nächsten Zeichen fort: nichts wiederholen, "
    "nichts anmerken.",
    "fr": "Ton dernier message a été coupé. Continue-le exactement au caractère suivant : sans répéter, "
    "sans commenter.",
    "es": "Tu último mensaje se cortó. Continúalo exactamente desde el siguiente carácter: sin repetir ni comentar.",
    "it": "Il tuo ultimo messaggio è stato interrotto. Continualo esattamente dal carattere successivo: senza "
    "ripetere né commentare.",
    "pt": "A tua última mensagem foi cortada. Continua-a exatamente a partir do carácter seguinte: sem repetir nem "
    "comentar.",
    "nl": "Je laatste bericht werd afgebroken. Ga precies verder bij het volgende teken: niets herhalen, geen "
    "commentaar.",
    "zh": "你的上一条消息中断了。请从下一个字符开始直接续写：不要重复，不要评论。",
    "ja": "直前のメッセージは途中で切れています。次の一文字からそのまま続けてください。繰り返しや説明は不要です。",
    "ko": "마지막 메시지가 중간에 끊겼습니다. 바로 다음 글자부터 이어서 쓰세요. 반복하거나 설명하지 마세요.",
    "ru": "Твоё последнее сообщение оборвалось. Продолжи его точно со следующего символа: без повторов и пояснений.",
    "ar": "انقطعت رسالتك الأخيرة. أكملها من الحرف التالي مباشرة: دون تكرار ودون تعليق.",
}


def detect(text: str) -> Language:
    """The language of a text, by its script; for Latin script by the most frequent words. English in case of doubt."""
    text = text[:_ENOUGH_CHARACTERS]
    letters = len(_LETTER.findall(text))
    for language, script in _SCRIPTS:
        if letters and len(regex.findall(script, text)) / letters >= _SHARE:
            return language
    words = Counter(w.lower() for w in _WORD.findall(text))
    scores: dict[Language, int] = {name: sum(words[w] for w in known) for name, known in _STOP_WORDS.items()}
    return max(scores, key=scores.__getitem__)


def instruction(text: str) -> str:
    """An instruction to continue the last message, in the language of `text`."""
    return _INSTRUCTIONS[detect(text)]
