"""Reading titles, versions and section numbers from the specifications' texts."""

import pytest

from tools import sections
from tools.make_sections import read_rfc, read_xep

RFC = """\





Internet Engineering Task Force (IETF)                           A. Uthor
Request for Comments: 9999                                     March 2011
Category: Standards Track

             A Protocol That Nobody Needs, for the Benefit of
                              Documentation

Abstract

   1.  This is a list, not a heading.

Table of Contents

   1.  Introduction  . . . . . . . . . . . . . . . . . . . . . . . .   5
1.   Introduction . . . . . . . . . . . . . . . . . . . . . . . . .   5

1.  Introduction

RFC 9999                         Nobody                       March 2011

1.1.  Overview
10.2 An older style
Appendix A.  States
A.1.  Defined States
"""

XEP = """\
# XEP-9999: Nobody's Extension

Version 1.2.3-rc.1 (2021-12-26), Stable, Standards Track

## 1. Introduction
```xml
## 2. In an example
```
### 1.1. Overview
#registrar
"""


def test_an_rfcs_headings_are_found_and_its_table_of_contents_is_not():
    spec = read_rfc("9999", RFC)
    assert spec.sections == ("1", "1.1", "10.2", "A", "A.1")


def test_an_rfcs_title_may_go_over_two_lines():
    assert read_rfc("9999", RFC).title == "A Protocol That Nobody Needs, for the Benefit of Documentation"


def test_a_xeps_title_version_and_headings_are_found():
    spec = read_xep("9999", XEP)
    assert (spec.name, spec.title, spec.version) == ("XEP-9999", "Nobody's Extension", "1.2.3-rc.1")
    assert spec.sections == ("1", "1.1")


def test_a_xep_without_a_version_is_refused():
    with pytest.raises(ValueError, match="XEP-9999"):
        read_xep("9999", "# XEP-9999: Nobody's Extension\n")


def test_what_was_saved_is_loaded_again(tmp_path):
    made = [read_rfc("9999", RFC), read_xep("9999", XEP)]
    sections.save(made, tmp_path / "sections.json")
    assert list(sections.load(tmp_path / "sections.json").values()) == made


def test_the_committed_file_knows_deep_sections_and_appendices():
    assert {"8.5.3.2.1", "A.2.1"} <= set(sections.load()["RFC 6121"].sections)
