"""Encryption of what is kept secret."""

from __future__ import annotations

import base64

import pytest

from automations.kit.encryption import Cipher, UnreadableError

OLD, NEW = (base64.urlsafe_b64encode(bytes([octet]) * 32).decode() for octet in (1, 2))


def test_a_text_comes_back_and_is_not_seen_meanwhile() -> None:
    cipher = Cipher([OLD])
    token = cipher.encrypt("zażółć")
    # Longer than what a random token holds by chance.
    for seen in (token.encode(), base64.urlsafe_b64decode(token)):
        assert "zażółć".encode() not in seen
    assert token != cipher.encrypt("zażółć")
    assert cipher.decrypt(token) == "zażółć"


def test_a_new_key_encrypts_while_the_old_one_still_decrypts() -> None:
    token = Cipher([OLD]).encrypt("text")
    both = Cipher([NEW, OLD])
    assert both.decrypt(token) == "text"
    assert Cipher([NEW]).decrypt(both.encrypt("text")) == "text"
    with pytest.raises(UnreadableError):
        Cipher([NEW]).decrypt(token)


def test_a_changed_token_is_not_read() -> None:
    token = Cipher([OLD]).encrypt("text")
    with pytest.raises(UnreadableError):
        Cipher([OLD]).decrypt(token[:-2] + "AA")


def test_a_fingerprint_tells_texts_apart_and_needs_the_key() -> None:
    first = Cipher([OLD]).fingerprint("text")
    assert first == Cipher([OLD]).fingerprint("text")
    assert first != Cipher([OLD]).fingerprint("texT")
    assert first != Cipher([NEW]).fingerprint("text")


@pytest.mark.parametrize("keys", [[], ["short"], [""], [OLD, "?"]])
def test_keys_that_are_none_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        Cipher(keys)
