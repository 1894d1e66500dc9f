"""Numbers that nothing names have to be valid: a number whose check digit is changed is none."""

import pytest

from ghostrouter.redact.kinds.numbers import ALONE, NAMED, NAMED_AND_VALID
from ghostrouter.redact.stream import redact

# A valid number by the module of stdnum that knows it.
VALID = {
    "gb.nhs": "943 476 5919", "es.dni": "54362315-K", "es.nie": "X-2482300W", "fr.nir": "2 95 10 99 126 111 93",
    "it.codicefiscale": "RCCMNL83S18D969H", "be.nn": "85.07.30-033.28", "br.cpf": "390.533.447-05",
    "br.cnpj": "16.727.230/0001-97", "tr.tckimlik": "17291716060", "no.fodselsnummer": "151086 95088",
    "se.personnummer": "880320-0016", "fi.hetu": "131052-308T", "iso7064.mod_11_2": "360426199101010071",
    "in_.aadhaar": "2341 2341 2346", "de.idnr": "36 574 261 809", "cl.rut": "12.531.909-2", "ar.cuit": "20-26756539-3",
    "ch.ssn": "756.9217.0769.85", "ro.cnp": "1630615123457", "ie.pps": "6433435F", "cz.rc": "710319/2745",
}  # fmt: skip
NAMED_VALID = {
    "ca.sin": "SIN 123-456-782", "za.idnr": "ID number 7503305044089", "pt.nif": "NIF 501964843",
    "de.idnr": "TIN: 36 574 261 809", "ie.pps": "PPS 6433435F", "jp.in_": "my number 6214 9832 0257",
    "ee.ik": "personal code 36805280109", "is_.kennitala": "kt. 450401-3150", "ru.inn": "INN 123456789047",
    "nz.ird": "IRD 49-098-576", "cl.rut": "RUT 125319092",
}  # fmt: skip


def with_other_digit(number: str) -> str:
    """The same with another digit before the last character."""
    at = max(i for i, c in enumerate(number[:-1]) if c.isdigit())
    return f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"


def test_every_module_has_an_example() -> None:
    assert set(VALID) == {module for _, module in ALONE if module}
    assert set(NAMED_VALID) == {module for _, _, module in NAMED_AND_VALID}


@pytest.mark.parametrize("number", VALID.values())
def test_a_valid_number_is_taken_out(number: str) -> None:
    assert redact(f"it is {number}, he said") in [f"it is [{kind}_1], he said" for kind in ("NATIONAL_ID", "PHONE")]
    assert redact(f"it is {with_other_digit(number)}, he said").count("[NATIONAL_ID") == 0


@pytest.mark.parametrize("text", NAMED_VALID.values())
def test_a_name_with_other_meanings_asks_for_a_valid_number(text: str) -> None:
    assert "[NATIONAL_ID_1]" in redact(text)
    assert "[NATIONAL_ID_1]" not in redact(with_other_digit(text))


@pytest.mark.parametrize("number", ["876526890347", "876526890346"])
def test_behind_a_name_of_its_own_a_number_need_not_be_valid(number: str) -> None:
    assert redact(f"ИНН: {number}") == "ИНН: [NATIONAL_ID_1]"
    assert redact(f"PESEL {number[1:]}") == "PESEL [NATIONAL_ID_1]"


def test_no_name_is_there_twice_with_the_same_form() -> None:
    rows = [(name, form) for names, form in NAMED for name in names.split("|")]
    assert len(rows) == len(set(rows))
