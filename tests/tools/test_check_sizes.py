"""The check of sizes."""

from tools.check_sizes import Piece, messages, too_long


def function(lines: int, indent: str = "") -> str:
    return f"{indent}def f():\n" + f"{indent}    pass\n" * (lines - 1)


def test_a_function_of_41_lines_is_too_long():
    assert list(too_long("a.py", function(41))) == [Piece("a.py::f", 1, 41, 40)]


def test_a_method_is_named_with_its_class():
    assert [piece.name for piece in too_long("a.py", "class C:\n" + function(41, "    "))] == ["a.py::C.f"]


def test_a_file_of_501_lines_is_too_long():
    assert list(too_long("a.py", "x = 1\n" * 501)) == [Piece("a.py", 1, 501, 500)]


def test_what_is_at_the_limit_passes():
    assert list(too_long("a.py", function(40) + "x = 1\n" * 460)) == []


def test_a_reason_in_writing_allows_it():
    assert list(messages([Piece("a.py", 1, 501, 500)], {"a.py": "one table"})) == []


def test_an_empty_reason_does_not():
    assert len(list(messages([Piece("a.py", 1, 501, 500)], {"a.py": " "}))) == 1


def test_a_reason_that_nothing_needs_is_reported():
    assert list(messages([], {"a.py": "one table"})) == [
        "pyproject.toml: [tool.commonroom.sizes] lists 'a.py', which is short. Remove the line."
    ]
