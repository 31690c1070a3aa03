"""Who of a level may start in a sitting: named students, access codes and networks."""

import pytest

from exam_core.entry import MAX_NETWORKS, EntryRules, check_code, code_matches, hash_code, read_networks
from exam_core.problems import Problem, ProblemKind

SALT = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], "anything", True),
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "2001:db8::1", False),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8:ff::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["192.0.2.7"], "192.0.2.7", True),
        (["192.0.2.7"], "192.0.2.8", False),
        (["0.0.0.0/0", "::/0"], "", False),
        (["0.0.0.0/0", "::/0"], "unknown", False),
        (["0.0.0.0/0", "::/0"], "10.0.0.1, 10.0.0.2", False),
    ],
)
def test_an_address_is_in_a_network_or_not(networks: list[str], address: str, *, allowed: bool) -> None:
    """If networks are set, I start at an address of one of them, IPv4 or IPv6; what is no address is in none."""
    rules = EntryRules(networks=read_networks(networks))
    if allowed:
        rules.check_address(address)
    else:
        with pytest.raises(Problem) as refused:
            rules.check_address(address)
        assert refused.value.kind is ProblemKind.ADDRESS_NOT_ALLOWED


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "ten", "", "10.0.0.0/8,11.0.0.0/8"])
def test_what_is_no_network_is_rejected(text: str) -> None:
    """If I mistype a network, it is rejected, and not read as another one."""
    with pytest.raises(ValueError, match=r"network|host bits"):
        read_networks([text])


def test_networks_are_bounded_and_listed_once() -> None:
    """If I list a network twice, it is stored once; too many are rejected."""
    assert [str(each) for each in read_networks([" 10.0.0.0/8", "10.0.0.0/8", "::1"])] == ["10.0.0.0/8", "::1/128"]
    with pytest.raises(ValueError, match="at most"):
        read_networks(f"10.0.{each}.0/24" for each in range(MAX_NETWORKS + 1))


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        ("Fermat 17", True),
        ("fermat17", True),
        (" FERMAT 17 ", True),
        ("\uff26ermat \uff11\uff17", True),
        ("fermat18", False),
        ("", False),
    ],
)
def test_a_code_is_compared_as_students_type_it(typed: str, *, right: bool) -> None:
    """If I type a code from the board, case, width and blanks do not count; its stored form does not contain it."""
    stored = hash_code("Fermat 17", SALT)
    assert code_matches(stored, typed) is right
    assert "ermat" not in stored
    assert hash_code("Fermat 17", SALT[::-1]) != stored


def test_a_stored_code_of_another_form_is_no_code() -> None:
    """If a newer release stored a code, this one does not compare it with something else."""
    with pytest.raises(ValueError, match="argon2"):
        code_matches("argon2$00$00", "code")


@pytest.mark.parametrize("code", ["abc", "a b c", "x" * 65, "tab\tbed", ""])
def test_a_code_can_be_typed(code: str) -> None:
    """If a code is too short, too long or has characters that cannot be displayed, it is rejected."""
    with pytest.raises(ValueError, match="4 to 64"):
        check_code(code)
    assert check_code("Fermat 17") == "Fermat 17"


def test_named_students_may_start() -> None:
    """If a sitting names students, they may start and no others; an empty list names none."""
    EntryRules().check_student(1)
    EntryRules(students=frozenset({1})).check_student(1)
    for students in (frozenset({1}), frozenset[int]()):
        with pytest.raises(Problem) as refused:
            EntryRules(students=students).check_student(2)
        assert refused.value.kind is ProblemKind.NOT_NAMED
