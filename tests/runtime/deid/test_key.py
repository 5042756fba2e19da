import hashlib
import hmac
import stat

import pytest

from edge_retrieve.runtime.deid.key import SiteKey, read_key, read_or_make_key
from edge_retrieve.runtime.errors import ConfigError


def test_a_key_is_made_once_for_its_owner_only(tmp_path):
    path = tmp_path / "site" / "site.key"
    key = read_or_make_key(path)
    assert len(key.secret) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_or_make_key(path) == key == read_key(path)
    assert [entry.name for entry in path.parent.iterdir()] == ["site.key"]


def test_two_keys_differ(tmp_path):
    assert read_or_make_key(tmp_path / "a").secret != read_or_make_key(tmp_path / "b").secret


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "zz" * 32])
def test_what_is_no_key_is_refused_by_name(tmp_path, text):
    path = tmp_path / "site.key"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"site\.key.*Bring it back"):
        read_key(path)


def test_a_missing_key_is_not_made_up(tmp_path):
    with pytest.raises(ConfigError, match="not here"):
        read_key(tmp_path / "site.key")


def test_digests_are_hmacs_kept_apart_by_purpose():
    key = SiteKey(b"k" * 32)
    assert key.digest("uid", "1.2") == hmac.new(b"k" * 32, b"3:uid:1.2", hashlib.sha256).digest()
    assert key.digest("ab", "c") != key.digest("a", "bc")


def test_the_secret_shows_nowhere():
    key = SiteKey(b"secret-secret-secret-secret-1234")
    assert "secret-" not in repr(key) + str(key) + key.check
