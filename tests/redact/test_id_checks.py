"""A number whose last digits are changed is none: of those countries whose numbers check themselves."""

import pytest

from ghostrouter.redact import id_checks_east as checks

VALID = {
    "rvnr": b"65011081M149", "bulgarian": b"7003288104", "croatian": b"29565667289", "yugoslav": b"3103978503858",
    "baltic": b"38605240073", "hungarian": b"157802164", "greek": b"10055590359", "greek_tax": b"477980688",
    "icelandic": b"1609689150", "snils": b"85879732599", "inn": b"876526890346", "ukrainian": b"5715767989",
    "thai": b"3368607345704", "newzealander": b"020621095", "medicare": b"2123456701",
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), VALID.items())
def test_one_digit_tells(name: str, number: bytes) -> None:
    check = getattr(checks, name)
    assert check(number)
    at = {"icelandic": 8, "medicare": 8}.get(name, len(number) - 1)
    others = [number[:at] + b"%d" % d + number[at + 1 :] for d in range(10)]
    assert sum(map(check, others)) == 1


NOBODYS = {
    "itin": b"907120135", "latvian": b"041353", "malaysian": b"731323149518", "indonesian": b"0174051208890003",
    "vietnamese": b"999085012345", "pakistani": b"0464885473736", "numbered": b"1111111", "document": b"ABCD1234",
}  # fmt: skip


@pytest.mark.parametrize(("name", "number"), NOBODYS.items())
def test_what_is_no_number_of_anybody(name: str, number: bytes) -> None:
    assert not getattr(checks, name)(number)
