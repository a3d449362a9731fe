"""Hashing as strongly as production does would be most of the tests' time."""

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

CHEAP = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)])
