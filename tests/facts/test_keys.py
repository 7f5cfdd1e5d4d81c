"""Keys that sign ledgers: made whole and for their owner alone, and refused with what to do."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from handrail.errors import StoreReadOnly
from handrail.errors.landing import MalformedKey
from handrail.facts.keys import (
    VARIABLE,
    KeyFiles,
    check,
    make_key,
    signer_from_file,
    signer_from_text,
)
from tests.support import SOURCE

TEXT: Final = b"handrail ledger head\n"
MAKING: Final = "import sys; from handrail.facts.keys import make_key; make_key(sys.argv[1])"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "epoch.key"
    make_key(str(path))
    return path


def keygen(path: Path, *words: str) -> Path:
    """Let OpenSSH itself make a key."""
    argv = ["ssh-keygen", "-q", "-f", str(path), "-C", "somebody", *words]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return path


def saved(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_a_key_that_was_made_signs_and_its_public_half_checks(key: Path) -> None:
    signer = signer_from_file(str(key))
    signature = signer.sign(TEXT)
    assert check(signer.public_key, TEXT, signature)
    assert check(f"{signer.public_key} ada@laptop", TEXT, signature), "a comment is no part of it"
    assert signer.sign(TEXT) == signature, "the same text has the same signature"


def test_a_signature_over_anything_else_or_by_another_checks_nothing(
    key: Path, tmp_path: Path
) -> None:
    make_key(str(tmp_path / "other"))
    signer, other = signer_from_file(str(key)), signer_from_file(str(tmp_path / "other"))
    signature = signer.sign(TEXT)
    assert not check(signer.public_key, TEXT + b"x", signature)
    assert not check(other.public_key, TEXT, signature)
    for number in (0, 31, 63):
        flipped = bytearray(signature)
        flipped[number] ^= 1
        assert not check(signer.public_key, TEXT, bytes(flipped))
    for size in (0, 63, 65):
        assert not check(signer.public_key, TEXT, (signature + signature)[:size])


@pytest.mark.parametrize(
    "public",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 \u00e4",
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQ==",
        "ssh-ed25519 " + "A" * 5_000,
        "x" * 10_000,
    ],
)
def test_what_is_no_public_key_checks_nothing(key: Path, public: str) -> None:
    assert not check(public, TEXT, signer_from_file(str(key)).sign(TEXT))


def test_a_key_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        make_key(str(tmp_path / "key"))
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["key"], "nothing half made stays"


def test_a_key_is_never_overwritten(key: Path, tmp_path: Path) -> None:
    before = key.read_bytes()
    make_key(str(key))
    assert key.read_bytes() == before
    link = tmp_path / "link"
    link.symlink_to("nowhere")
    make_key(str(link))
    assert os.readlink(link) == "nowhere", "nothing is written through a link"


def test_of_many_who_make_it_at_once_all_go_on_with_one(tmp_path: Path) -> None:
    path = tmp_path / "key"
    env = {**os.environ, "PYTHONPATH": str(SOURCE.parent)}
    argv = [sys.executable, "-c", MAKING, str(path)]
    makers = [subprocess.Popen(argv, env=env) for _ in range(4)]
    assert [maker.wait() for maker in makers] == [0] * 4
    signer_from_file(str(path))
    assert os.listdir(tmp_path) == ["key"]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreReadOnly):
        make_key(str(tmp_path / "gone" / "key"))


def test_ssh_keygen_reads_what_is_made_and_the_other_way_round(key: Path, tmp_path: Path) -> None:
    told = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, check=True)
    signer = signer_from_file(str(key))
    assert told.stdout.decode().split()[:2] == signer.public_key.split()
    theirs = keygen(tmp_path / "theirs", "-t", "ed25519", "-N", "")
    public = theirs.with_suffix(".pub").read_text()
    assert check(public, TEXT, signer_from_file(str(theirs)).sign(TEXT))


def test_a_key_in_pem_is_accepted(tmp_path: Path) -> None:
    pair = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    text = pair.private_bytes(*form, serialization.NoEncryption())
    signer = signer_from_file(str(saved(tmp_path / "pem", text)))
    assert check(signer.public_key, TEXT, pair.sign(TEXT))


def locked(path: Path) -> None:
    keygen(path, "-t", "ed25519", "-N", "secret")


def locked_pem(path: Path) -> None:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    lock = serialization.BestAvailableEncryption(b"secret")
    saved(path, Ed25519PrivateKey.generate().private_bytes(*form, lock))


def rsa(path: Path) -> None:
    keygen(path, "-t", "rsa", "-b", "2048", "-N", "")


def rsa_pem(path: Path) -> None:
    keygen(path, "-t", "rsa", "-b", "2048", "-N", "", "-m", "PEM")


def ecdsa(path: Path) -> None:
    keygen(path, "-t", "ecdsa", "-N", "")


def public(path: Path) -> None:
    keygen(path, "-t", "ed25519", "-N", "")
    path.with_suffix(".pub").rename(path)
    path.chmod(0o600)


def cut_off(path: Path) -> None:
    make_key(str(path))
    path.write_bytes(path.read_bytes()[:200])


def changed(path: Path) -> None:
    make_key(str(path))
    path.write_bytes(path.read_bytes().replace(b"b3BlbnNzaC", b"b3BlbnNzaD"))


def folder(path: Path) -> None:
    path.mkdir(mode=0o700)


@pytest.mark.parametrize(
    ("arrange", "reason"),
    [
        (locked, "passphrase"),
        (locked_pem, "passphrase"),
        (rsa, "another kind"),
        (rsa_pem, "another kind"),
        (ecdsa, "another kind"),
        (public, "public key"),
        (cut_off, "damaged"),
        (changed, "damaged"),
        (folder, "Is a directory"),
        (lambda path: saved(path, b""), "neither"),
        (lambda path: saved(path, b"\0\xff" * 100), "neither"),
        (lambda path: saved(path, b"-----BEGIN OPENSSH PRIVATE KEY-----\n"), "damaged"),
        (lambda path: saved(path, b"x" * 100_000), "larger"),
        (lambda path: None, "no such file"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_cannot_sign_is_refused_with_what_to_do(
    tmp_path: Path, arrange: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "key"
    arrange(path)
    with pytest.raises(MalformedKey) as caught:
        signer_from_file(str(path))
    error = caught.value
    assert reason in str(error.values["reason"])
    assert error.next is not None
    assert "handrail enroll" in error.next


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o777])
def test_a_key_that_others_may_read_is_refused_and_the_next_command_mends_it(
    key: Path, mode: int
) -> None:
    key.chmod(mode)
    with pytest.raises(MalformedKey) as caught:
        signer_from_file(str(key))
    subprocess.run(["sh", "-c", caught.value.next or ""], check=True)
    signer_from_file(str(key))


def test_no_error_shows_what_stands_in_a_key(key: Path) -> None:
    text = key.read_text().splitlines()
    key.write_text("\n".join([text[0], text[1], text[1], *text[2:], ""]))
    with pytest.raises(MalformedKey) as caught:
        signer_from_file(str(key))
    error = caught.value
    assert text[1][:8] not in f"{error} {error.values} {error.next}"
    assert error.__cause__ is None, "what the library says is not passed on"
    assert error.__suppress_context__


@pytest.mark.parametrize(
    "spoil",
    [str.strip, lambda text: text.replace("\n", "\r\n"), lambda text: f"\n {text}\n\n"],
    ids=["no end of line", "other ends of lines", "blanks around it"],
)
def test_a_key_in_a_variable_may_have_lost_its_ends_of_lines(
    key: Path, spoil: Callable[[str], str]
) -> None:
    signer = signer_from_text(spoil(key.read_text()), VARIABLE)
    assert signer.public_key == signer_from_file(str(key)).public_key


def test_a_variable_that_holds_no_key_is_named_and_not_shown() -> None:
    with pytest.raises(MalformedKey) as caught:
        signer_from_text("hunter2 \udcff", VARIABLE)
    assert VARIABLE in caught.value.message
    assert "hunter2" not in f"{caught.value} {caught.value.values}"


def test_the_key_of_a_store_is_its_own_the_chosen_one_or_the_environments(tmp_path: Path) -> None:
    keys = KeyFiles(str(tmp_path), None)
    assert keys.signer() is None
    keys.make()
    assert keys.place == keys.own
    own = keys.read(keys.own).public_key
    other = tmp_path / "with\na newline"
    make_key(str(other))
    keys.choose(str(other))
    again = KeyFiles(str(tmp_path), "")
    signer = again.signer()
    assert again.place == str(other)
    assert signer is not None
    assert signer.public_key != own
    third = tmp_path / "third"
    make_key(str(third))
    given = KeyFiles(str(tmp_path), third.read_text())
    signer = given.signer()
    assert given.place == VARIABLE
    assert signer is not None
    assert signer.public_key == signer_from_file(str(third)).public_key
    again.choose(keys.own)
    assert KeyFiles(str(tmp_path), None).place == keys.own
    assert "epoch.key-path" not in os.listdir(tmp_path)


def test_a_chosen_key_that_is_gone_is_an_error_and_not_no_key(tmp_path: Path) -> None:
    keys = KeyFiles(str(tmp_path), None)
    keys.choose(str(tmp_path / "gone"))
    with pytest.raises(MalformedKey):
        keys.signer()
