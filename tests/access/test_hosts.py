"""Names and addresses of hosts, as browsers and C libraries read them."""

import pytest

from ghostrouter.access.hosts import is_loopback, is_metadata_url, is_private_url, is_served

_PRIVATE = """
http://127.0.0.1/ http://127.1/ http://2130706433/ http://0x7f.1/ http://0177.0.0.1/ http://0/ http://[::1]/
http://[::ffff:127.0.0.1]/ http://[64:ff9b::7f00:1]/ http://[2002:7f00:1::]/ http://[fe80::1%25eth0]/ http://[fd00::1]/
http://10.1.2.3/x http://192.168.0.1:8080/ http://172.16.0.1/ http://169.254.169.254/latest http://100.64.0.1/
http://localhost/ http://LOCALHOST./ http://db/ http://metadata.google.internal/ http://printer.local/
http://user:pass@127.0.0.1/ http://example.com@10.0.0.1/ http://[::1 http:///x http://1.2.3.4.5/ http://256.1.1.1/
http://0.0.0.0/ http://224.0.0.1/ http://0x7f000001/
""".split()
_PUBLIC = (
    "https://example.com/a.png http://8.8.8.8/x https://[2606:4700::1111]/ https://cdn.example.co.uk:8443/a?b".split()
)


@pytest.mark.parametrize("url", _PRIVATE)
def test_private_urls(url: str) -> None:
    assert is_private_url(url)


@pytest.mark.parametrize("url", _PUBLIC)
def test_public_urls(url: str) -> None:
    assert not is_private_url(url)


def test_where_clouds_tell_secrets() -> None:
    assert is_metadata_url("http://169.254.169.254/v1") and is_metadata_url("http://[fe80::1]/")
    assert is_metadata_url("http://2852039166/") and not is_metadata_url("http://10.0.0.1/")


@pytest.mark.parametrize(
    ("host", "is_open", "with_keys"),
    [
        ("127.0.0.1:8000", True, True),
        ("[::1]:8000", True, True),
        ("localhost", True, True),
        ("LocalHost.:80", True, True),
        ("ghostrouter-serve-svc:8000", True, True),
        ("svc.cluster.local", True, True),
        ("attacker.example", False, True),
        ("127.0.0.1.attacker.example", False, True),
        ("a@b", False, False),
        ("", False, False),
        ("a b", False, False),
        ("ä", False, False),
        ("x/y", False, False),
        ("x:99999", False, False),
    ],
)
def test_by_which_names_it_is_called(host: str, is_open: bool, with_keys: bool) -> None:
    assert (is_served(host, (), is_open=True), is_served(host, (), is_open=False)) == (is_open, with_keys)


def test_configured_names_are_the_only_ones() -> None:
    names = ("api.example.com", "*.Example.org")
    assert is_served("API.example.com:443", names, is_open=True)
    assert is_served("a.example.org", names, is_open=False)
    assert not is_served("127.0.0.1", names, is_open=True)
    assert not is_served("example.org", names, is_open=False)


def test_this_machine() -> None:
    assert [is_loopback(a) for a in ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "", "testclient")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
