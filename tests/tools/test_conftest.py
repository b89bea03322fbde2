"""`--no-skips`: in CI a test that is skipped is one that should have run."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPPING = """
import pytest

def test_skipped(): pytest.skip("no PostgreSQL here")

@pytest.mark.xfail(reason="known", strict=True)
def test_known(): raise AssertionError
"""
SKIPPED_AS_A_WHOLE = "import pytest; pytest.skip('no PostgreSQL here', allow_module_level=True)"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("COMMONROOM_CI", raising=False)
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text("utf-8"))
    return pytester


def test_a_skip_fails_when_forbidden(project: pytest.Pytester):
    project.makepyfile(SKIPPING)
    outcome = project.runpytest_inprocess("--no-skips")
    outcome.assert_outcomes(failed=1, xfailed=1)
    outcome.stdout.fnmatch_lines(["*which --no-skips forbids*no PostgreSQL here*"])


def test_a_skipped_module_fails_when_forbidden(project: pytest.Pytester):
    project.makepyfile(SKIPPED_AS_A_WHOLE)
    project.runpytest_inprocess("--no-skips").assert_outcomes(errors=1)


def test_a_skip_is_a_skip_otherwise(project: pytest.Pytester):
    project.makepyfile(SKIPPING)
    project.runpytest_inprocess().assert_outcomes(skipped=1, xfailed=1)
