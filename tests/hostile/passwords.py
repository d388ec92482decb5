"""Passwords of ada.lovelace@analytical.example, Ada Lovelace, that somebody would come to."""

from __future__ import annotations

GUESSED = (
    "password1234",
    "passwordpassword",
    "Passw0rd!Passw0rd!",
    "qwertyuiop12",
    "1qaz2wsx3edc",
    "zaqwsxcderfv",
    "123456789012",
    "000000000000",
    "aaaaaaaaaaaaa",
    "abcabcabcabc",
    "iloveyou1234",
    "letmeinletmein",
    "Summer2026!!",
    "january2026!",
    "administrator",
    "welcome12345",
    "automations1",
    "airflowairflow",
    "ada.lovelace",
    "xx-lovelace-7391-kq",
    "LOVELACE-7391-qkx",
    "ada@analytical.example",
    "7ada7391kqzwvx",
    "analyticalada1",
    "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff441234",
    "password1234" * 20,
)
GOOD = (
    "correct horse battery",
    "another horse battery",
    "my dog eats fish on monday",
    "kV7#pq2!xZ9w",
    "\u017c\u00f3\u0142w goni \u017cyraf\u0119",
    "x9" + "kd7 fmw2 qp" * 20,
)
